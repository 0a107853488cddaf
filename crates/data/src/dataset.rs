//! [`DatasetDescriptor`]: where a well-known text can be downloaded, and the checksum to verify it with.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

/// A published text: what it is, its address and its checksum.
///
/// Descriptors are TOML files with exactly these keys, each named after its dataset, such as
/// `datasets/tiny-shakespeare.toml`. [`DatasetDescriptor::copy_from`] and, with the feature `download`,
/// `DatasetDescriptor::download` get the text itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetDescriptor {
    /// Name of the dataset: lower-case letters, digits and hyphens.
    pub name: String,
    /// Title of the text.
    pub title: String,
    /// The `https` address of the text.
    pub address: String,
    /// Name of the file that the text is stored in, without folders.
    pub file: String,
    /// Length of the text in bytes.
    pub bytes: u64,
    /// SHA-256 of the text, in lower-case hexadecimal.
    pub sha256: String,
    /// Terms on which the text may be used.
    pub licence: String,
    /// What to know before training on the text.
    pub about: String,
}

impl DatasetDescriptor {
    /// Reads a descriptor file.
    ///
    /// # Errors
    /// If the file can't be read, or is not a valid descriptor named after its file.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, DescriptorError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|source| DescriptorError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Reads every `*.toml` of a folder, sorted by name.
    ///
    /// # Errors
    /// If the folder can't be read, or one of the files is not a valid descriptor.
    pub fn read_all(folder: impl AsRef<Path>) -> Result<Vec<Self>, DescriptorError> {
        let folder = folder.as_ref();
        let unreadable = |source| DescriptorError::Unreadable { path: folder.to_owned(), source };
        let mut all = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                all.push(Self::read(path)?);
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Reads a descriptor from `text`, the content of `path`.
    ///
    /// # Errors
    /// If `text` is not a valid descriptor named after its file.
    pub fn parse(text: &str, path: impl AsRef<Path>) -> Result<Self, DescriptorError> {
        let path = path.as_ref();
        let invalid =
            |line, reason| DescriptorError::Invalid { path: path.to_owned(), line, reason };
        let descriptor: Self = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let before = text.get(..start).unwrap_or(text);
            let line = before.matches('\n').count() + 1;
            invalid(line, error.message().to_owned())
        })?;
        match descriptor.first_fault(path) {
            None => Ok(descriptor),
            Some((key, reason)) => {
                let is_key = |line: &str| line.split('=').next().is_some_and(|k| k.trim() == key);
                let line = text.lines().position(is_key).map_or(1, |place| place + 1);
                Err(invalid(line, format!("`{key}` must be {reason}")))
            }
        }
    }

    /// The first key with an invalid value, and what it must be.
    fn first_fault(&self, path: &Path) -> Option<(&'static str, &'static str)> {
        let Self { name, title, address, file, bytes, sha256, licence, about } = self;
        let plain = |char: char| matches!(char, 'a'..='z' | '0'..='9' | '-');
        let hex = |char: char| matches!(char, 'a'..='f' | '0'..='9');
        let faults = [
            (
                name.is_empty() || !name.chars().all(plain),
                "name",
                "made of lower-case letters, digits and hyphens",
            ),
            (path.file_stem() != Some(name.as_ref()), "name", "the name of its file"),
            (title.is_empty(), "title", "non-empty"),
            (!address.starts_with("https://"), "address", "an https address"),
            (
                // A bare name is its own last component; `..` and what holds a separator are not.
                Path::new(file).file_name() != Some(file.as_ref()) || file.contains('\\'),
                "file",
                "a file name without folders",
            ),
            (*bytes == 0, "bytes", "more than 0"),
            (
                sha256.len() != 64 || !sha256.chars().all(hex),
                "sha256",
                "64 lower-case hexadecimal digits",
            ),
            (licence.is_empty(), "licence", "non-empty"),
            (about.is_empty(), "about", "non-empty"),
        ];
        let fault = faults.into_iter().find(|&(wrong, ..)| wrong)?;
        Some((fault.1, fault.2))
    }
}

/// Why a descriptor file can't be used.
#[derive(Debug, Error)]
pub enum DescriptorError {
    /// The file, or the folder of descriptors, can't be read.
    #[error("could not read `{}`", .path.display())]
    Unreadable {
        /// Path of the file or folder.
        path: PathBuf,
        /// I/O error.
        source: std::io::Error,
    },
    /// The file is not a valid descriptor.
    #[error("`{}`, line {line}: {reason}", .path.display())]
    Invalid {
        /// Path of the file.
        path: PathBuf,
        /// Line of the error, counted from 1.
        line: usize,
        /// Description of the error.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"name = "ode"
title = "An ode"
address = "https://example.org/ode.txt"
file = "ode.txt"
bytes = 11
sha256 = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
licence = "public domain"
about = "Short."
"#;

    #[test]
    fn a_good_descriptor_is_read() {
        let ode = DatasetDescriptor::parse(GOOD, "datasets/ode.toml").unwrap();
        assert_eq!((ode.name.as_str(), ode.bytes), ("ode", 11));
    }

    #[test]
    fn a_bad_descriptor_is_refused_with_file_line_and_key() {
        for (good, bad, message) in [
            ("bytes", "size", "line 5: unknown field `size`"),
            ("= 11", "= \"11\"", "line 5: invalid type: string"),
            ("= 11", "= 0", "line 5: `bytes` must be more than 0"),
            ("https:", "http:", "line 3: `address` must be an https"),
            ("\"ode.txt", "\"../ode.txt", "line 4: `file` must be"),
            ("\"ode.txt", "\"..", "line 4: `file` must be"),
            ("b94d", "B94D", "line 6: `sha256` must be 64"),
            ("efcde9", "efcde", "line 6: `sha256` must be 64"),
            ("\"ode\"", "\"Ode\"", "line 1: `name` must be made of lower"),
            ("\"ode\"", "\"odd\"", "line 1: `name` must be the name"),
            ("public domain", "", "line 7: `licence` must be non-empty"),
            ("about", "#", "missing field `about`"),
        ] {
            let text = GOOD.replacen(good, bad, 1);
            let text = if bad == ".." { text.replace("...txt", "..") } else { text };
            let error = DatasetDescriptor::parse(&text, "datasets/ode.toml").unwrap_err();
            let shown = error.to_string();
            assert!(shown.starts_with("`datasets/ode.toml`, line "), "{shown}");
            assert!(shown.contains(message), "{shown}\nfor {message}");
        }
    }

    #[test]
    fn every_descriptor_of_this_repository_is_good() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets");
        let all = DatasetDescriptor::read_all(folder).unwrap();
        let names: Vec<_> = all.iter().map(|text| text.name.as_str()).collect();
        assert!(names.contains(&"anna-karenina") && names.contains(&"tiny-shakespeare"));
        assert!(names.is_sorted());
        for text in all {
            assert!(text.file.ends_with(".txt"), "git ignores *.txt in datasets/");
        }
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = DatasetDescriptor::read_all("no/such/folder").unwrap_err();
        assert_eq!(error.to_string(), "could not read `no/such/folder`");
    }
}
