//! The files that folders and patterns stand for, in an order that is the same everywhere.

use std::io;
use std::path::{Path, PathBuf};

use crate::corpus::CorpusError;
use crate::text_paths::{STDIN, TextPaths};

/// Every file of a text, in order. The files of a folder are in the order of their names, those of its folders among them;
/// names that start with a dot are left out. So are the files of a pattern.
///
/// # Errors
/// If a file or folder is missing or can't be read, or there is no file at all.
pub(crate) fn files_of(paths: &TextPaths) -> Result<Vec<PathBuf>, CorpusError> {
    let mut files = Vec::new();
    for path in paths.as_slice() {
        let failed = |source| CorpusError::Unreadable { path: path.clone(), source };
        match std::fs::metadata(path) {
            _ if path == Path::new(STDIN) => files.push(path.clone()),
            Ok(metadata) if metadata.is_dir() => {
                let before = files.len();
                add_folder(path, &mut files).map_err(failed)?;
                if files.len() == before {
                    return Err(CorpusError::NoFiles(path.clone()));
                }
            }
            Ok(_) => files.push(path.clone()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => match matches(path) {
                None => return Err(CorpusError::Missing(path.clone())),
                Some(found) if found.is_empty() => return Err(CorpusError::NoFiles(path.clone())),
                Some(found) => files.extend(found),
            },
            Err(error) => return Err(failed(error)),
        }
    }
    match files.is_empty() {
        true => Err(CorpusError::NoPaths),
        false => Ok(files),
    }
}

fn add_folder(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries = std::fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.retain(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."));
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        // A link to a folder may lead back to this one.
        match entry.file_type()?.is_dir() {
            true => add_folder(&entry.path(), files)?,
            false if entry.path().is_file() => files.push(entry.path()),
            false => {}
        }
    }
    Ok(())
}

/// The files that a pattern with `*`, `?`, `**` or `[…]` matches, sorted; `None` if the path is no pattern.
fn matches(path: &Path) -> Option<Vec<PathBuf>> {
    let pattern = path.to_str().filter(|text| text.contains(['*', '?', '[']))?;
    let options = glob::MatchOptions {
        require_literal_separator: true,
        require_literal_leading_dot: true,
        ..glob::MatchOptions::new()
    };
    let found = glob::glob_with(pattern, options).ok()?.flatten().filter(|path| path.is_file());
    let mut found: Vec<PathBuf> = found.collect();
    found.sort();
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(paths: &[&str]) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.txt", "a.txt", "z/c.txt", "m/d.md", ".hidden", ".git/e.txt"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
        std::fs::create_dir(folder.path().join("empty")).unwrap();
        let root = format!("{}/", folder.path().display());
        let full: Vec<PathBuf> = paths.iter().map(|path| folder.path().join(path)).collect();
        match files_of(&full.into()) {
            Ok(files) => Ok((files.iter())
                .map(|path| path.display().to_string().replace(&root, ""))
                .collect()),
            Err(error) => Err(error.to_string().replace(&root, "")),
        }
    }

    #[test]
    fn folders_and_patterns_are_read_in_the_order_of_their_names() {
        let all = ["a.txt", "b.txt", "m/d.md", "z/c.txt"];
        assert_eq!(found(&[""]).unwrap(), all);
        assert_eq!(found(&["*.txt"]).unwrap(), ["a.txt", "b.txt"]);
        assert_eq!(found(&["**/*.txt"]).unwrap(), ["a.txt", "b.txt", "z/c.txt"]);
        // Files are read in the order in which they are given.
        assert_eq!(found(&["z", "b.txt", "[a]*"]).unwrap(), ["z/c.txt", "b.txt", "a.txt"]);
    }

    #[test]
    fn what_holds_no_file_is_named() {
        assert_eq!(found(&["no.txt"]).unwrap_err(), "there is no file `no.txt`");
        assert_eq!(found(&["a.txt", "*.tex"]).unwrap_err(), "no file matches `*.tex`");
        assert_eq!(found(&["empty"]).unwrap_err(), "there are no files in `empty`");
        assert_eq!(found(&[]).unwrap_err(), "no text is named");
    }
}
