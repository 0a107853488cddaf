//! [`TextPaths`]: the files, folders and patterns that a text is read from, as the setting `data.text` has them.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The files of a text, in the order in which they are read. An entry may also be a folder, a pattern such as `poems/*.txt`,
/// a pipe, or `-` for standard input.
///
/// Serialised, it is one string, or a list of several. A path that isn't Unicode is a `file:` URI with percent-encoding, as
/// in `file:caf%E9.txt`.
///
/// ```
/// # use charloom_data::TextPaths;
/// # use std::path::Path;
/// let paths = TextPaths::from(["a.txt", "b.txt"].map(Into::into).to_vec());
/// assert_eq!(paths.to_string(), "a.txt + b.txt");
/// assert_eq!(TextPaths::from("a.txt").as_slice(), [Path::new("a.txt")]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Setting", into = "Setting")]
pub struct TextPaths(Vec<PathBuf>);

/// What a settings file says.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Setting {
    One(#[schemars(length(min = 1), extend("format" = "path"))] String),
    Several(Vec<NonEmpty>),
}

/// A path in a list.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
struct NonEmpty(#[schemars(length(min = 1), extend("format" = "path"))] String);

impl TextPaths {
    /// The paths, in order.
    pub fn as_slice(&self) -> &[PathBuf] {
        &self.0
    }

    /// The name of the first file or folder, and the number of the others: `a.txt`, or `a.txt + 2 more`.
    pub fn file_name(&self) -> String {
        let first = self.0.first().map(PathBuf::as_path).unwrap_or(Path::new(""));
        let name = first.file_name().unwrap_or(first.as_os_str()).to_string_lossy();
        match self.0.len() {
            0 | 1 => name.into_owned(),
            len => format!("{name} + {} more", len - 1),
        }
    }

    /// The name of the text: that of its first file or folder without the extension, or `stdin`.
    pub fn stem(&self) -> String {
        match self.0.first() {
            Some(path) if path == Path::new(STDIN) => "stdin".to_owned(),
            Some(path) => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            None => String::new(),
        }
    }
}

/// Stands for standard input.
pub(crate) const STDIN: &str = "-";

impl From<&str> for TextPaths {
    fn from(path: &str) -> Self {
        Self(vec![path.into()])
    }
}

impl From<&Path> for TextPaths {
    fn from(path: &Path) -> Self {
        Self(vec![path.to_owned()])
    }
}

impl From<PathBuf> for TextPaths {
    fn from(path: PathBuf) -> Self {
        Self(vec![path])
    }
}

impl From<Vec<PathBuf>> for TextPaths {
    fn from(paths: Vec<PathBuf>) -> Self {
        Self(paths)
    }
}

/// At most three paths with ` + ` between them, or the first and the number of the others.
impl fmt::Display for TextPaths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0[..] {
            [first, .., _] if self.0.len() > 3 => {
                write!(f, "{} + {} more", first.display(), self.0.len() - 1)
            }
            paths => {
                for (index, path) in paths.iter().enumerate() {
                    let plus = if index == 0 { "" } else { " + " };
                    write!(f, "{plus}{}", path.display())?;
                }
                Ok(())
            }
        }
    }
}

impl From<Setting> for TextPaths {
    fn from(setting: Setting) -> Self {
        Self(match setting {
            Setting::One(path) => vec![path_of_setting(&path)],
            Setting::Several(paths) => {
                paths.iter().map(|NonEmpty(path)| path_of_setting(path)).collect()
            }
        })
    }
}

impl From<TextPaths> for Setting {
    fn from(TextPaths(paths): TextPaths) -> Self {
        match &paths[..] {
            [path] => Self::One(setting_of_path(path)),
            paths => {
                Self::Several(paths.iter().map(|path| NonEmpty(setting_of_path(path))).collect())
            }
        }
    }
}

const SCHEME: &str = "file:";

/// A path as a settings file has it: as it is, or as a `file:` URI if it isn't Unicode or looks like such a URI.
pub fn setting_of_path(path: &Path) -> String {
    match path.to_str() {
        Some(text) if !text.starts_with(SCHEME) => text.to_owned(),
        _ => {
            let mut uri = SCHEME.to_owned();
            for &byte in path.as_os_str().as_encoded_bytes() {
                match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                        uri.push(byte.into());
                    }
                    byte => uri += &format!("%{byte:02X}"),
                }
            }
            uri
        }
    }
}

/// The path that a settings file names. The text of a URI that can't be decoded is taken as the path itself.
fn path_of_setting(text: &str) -> PathBuf {
    let uri = text.strip_prefix(SCHEME).map(|rest| match rest.strip_prefix("//") {
        // What follows two slashes is a host, which may be left out, and an absolute path.
        Some(rest) if rest.starts_with('/') => rest,
        _ => rest,
    });
    uri.and_then(decoded).unwrap_or_else(|| text.into())
}

/// The path of percent-encoded bytes.
fn decoded(uri: &str) -> Option<PathBuf> {
    let mut bytes = Vec::new();
    let mut rest = uri.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = after;
        } else {
            bytes.push(byte);
        }
    }
    path_of_bytes(bytes)
}

#[cfg(unix)]
fn path_of_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    Some(std::ffi::OsString::from_vec(bytes).into())
}

#[cfg(not(unix))]
fn path_of_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
    String::from_utf8(bytes).ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is_written_as(paths: TextPaths, toml: &str) {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Table {
            text: TextPaths,
        }
        let table = Table { text: paths };
        let written = toml::to_string(&table).unwrap();
        assert_eq!(written.trim_end(), toml);
        assert_eq!(toml::from_str::<Table>(toml).unwrap(), table);
    }

    #[test]
    fn one_path_is_a_string_and_several_are_a_list() {
        is_written_as("a b.txt".into(), r#"text = "a b.txt""#);
        let several: TextPaths = ["a.txt", "poems/*"].map(PathBuf::from).to_vec().into();
        is_written_as(several, r#"text = ["a.txt", "poems/*"]"#);
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_not_unicode_is_a_uri() {
        let path = path_of_bytes(b"a b/caf\xe9%.txt".to_vec()).unwrap();
        is_written_as(path.into(), r#"text = "file:a%20b/caf%E9%25.txt""#);
        // A name that only looks like one is written as one too.
        is_written_as("file:x".into(), r#"text = "file:file%3Ax""#);
        assert_eq!(path_of_setting("file:///tmp/a%20b"), Path::new("/tmp/a b"));
        assert_eq!(path_of_setting("file:50%.txt"), Path::new("file:50%.txt"));
    }

    #[test]
    fn many_paths_are_shown_by_their_first() {
        let paths = ["a", "b", "c", "d"].map(PathBuf::from);
        assert_eq!(TextPaths::from(paths[..3].to_vec()).to_string(), "a + b + c");
        assert_eq!(TextPaths::from(paths.to_vec()).to_string(), "a + 3 more");
    }

    #[test]
    fn a_text_is_named_after_its_first_file() {
        assert_eq!(TextPaths::from("books/anna.karenina.txt").stem(), "anna.karenina");
        assert_eq!(TextPaths::from("-").stem(), "stdin");
    }
}
