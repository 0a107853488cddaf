//! The default corpus: the Rust source of some Burn crates, which cargo has on disk because charloom is built on them.
//!
//! Nothing is downloaded for it, and the repository holds no text of others. The crates are in every build of charloom,
//! whatever its features and platform, and the lock file pins them, so that everybody trains on the same bytes.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::cargo::Build;
use crate::failure::{Failure, Result};
use crate::request::Request;

/// Path of the corpus in the current folder: the default of `data.text`.
pub const PATH: &str = "datasets/burn-source.txt";

/// The crates in the order of the corpus. A laptop trains an epoch on this text in a few minutes.
const CRATES: [&str; 5] = ["burn-autodiff", "burn-core", "burn-nn", "burn-optim", "burn-tensor"];

/// Of Burn 0.22.1, as the lock file pins it. Another version has another text: `cargo xtask corpus` then prints the values to put here.
const LENGTH: usize = 1_692_790;
const SHA256: &str = "bfda395735050f1ce1e7b04470244df5daa71a545bd5ba9e46a6c1a129772362";

/// Whether `request` may read the default corpus: it names it, or it trains and its command line names no text.
///
/// A settings file may name another text. It isn't read here: an unneeded corpus is a small file.
pub fn is_needed_by(request: &Request) -> bool {
    if request.asks_for_help() {
        return false;
    }
    if request.mentions(PATH) {
        return true;
    }
    match request.command() {
        Some("train") => {
            request.value_of("--text").is_none()
                && !request.has("--resume")
                && !request.mentions("data.text")
        }
        Some("sweep") => true,
        _ => false,
    }
}

/// Writes the corpus below `folder` unless it exists. An existing file is kept, with a warning if it is another text.
pub fn prepare(folder: &Path, build: &Build) -> Result<()> {
    match fs::read(folder.join(PATH)) {
        Ok(text) if sha256(&text) == SHA256 => Ok(()),
        Ok(_) => {
            eprintln!(
                "warning: `{PATH}` isn't the default corpus; `cargo xtask corpus` overwrites it"
            );
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => write(folder, build),
        Err(error) => Err(Failure::work(format!("cannot read `{PATH}`: {error}"))),
    }
}

/// Writes the corpus below `folder`, over an existing one.
pub fn write(folder: &Path, build: &Build) -> Result<()> {
    let mut sources = Vec::new();
    for name in CRATES {
        sources.push((name, build.folder_of(name)?.join("src")));
    }
    let text = gather(&sources)?;
    check(&text)?;
    write_atomically(&folder.join(PATH), &text)
        .map_err(|error| Failure::work(format!("cannot write `{PATH}`: {error}")))?;
    eprintln!(
        "prepared `{PATH}`: the Rust source of {} Burn crates, {} characters",
        CRATES.len(),
        text.len()
    );
    Ok(())
}

/// Concatenates the files of all sources, each after a line that names it.
///
/// Files with characters outside ASCII are left out: there are few, and their characters (Greek letters in comments,
/// arrows) would double the vocabulary but are too rare to learn.
fn gather(sources: &[(&str, PathBuf)]) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    for (name, folder) in sources {
        for file in rust_files(folder)? {
            let content = fs::read(folder.join(&file))
                .map_err(|error| unreadable(&folder.join(&file), &error))?;
            if content.is_ascii() {
                text.extend_from_slice(format!("// {name}/src/{file}\n").as_bytes());
                text.extend_from_slice(content.trim_ascii());
                text.extend_from_slice(b"\n\n");
            }
        }
    }
    Ok(text)
}

/// The paths of all Rust files below `folder`, with slashes on every platform, in bytewise order.
fn rust_files(folder: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    let mut below = vec![String::new()];
    while let Some(prefix) = below.pop() {
        let folder = folder.join(&prefix);
        for entry in fs::read_dir(&folder).map_err(|error| unreadable(&folder, &error))? {
            let entry = entry.map_err(|error| unreadable(&folder, &error))?;
            let kind = entry.file_type().map_err(|error| unreadable(&entry.path(), &error))?;
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if kind.is_dir() {
                below.push(path + "/");
            } else if path.ends_with(".rs") {
                files.push(path);
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::work(format!("cannot read `{}`: {error}", path.display()))
}

/// Fails unless `text` has the expected checksum.
fn check(text: &[u8]) -> Result<()> {
    let sum = sha256(text);
    if sum == SHA256 {
        return Ok(());
    }
    let (length, crates) = (text.len(), CRATES.join("`, `"));
    Err(Failure::work(format!(
        "the default corpus has {length} bytes with sha256 `{sum}`, expected {LENGTH} bytes with `{SHA256}`"
    ))
    .hint(format!(
        "if you changed the version of Burn, put the new values into `xtask/src/corpus.rs`; \
         otherwise cargo's copy of `{crates}` was changed: remove it from cargo's registry folder and run `cargo fetch`"
    )))
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes to a temporary file and renames it, so that the file is there in full or not at all.
fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.suffix(".tmp");
    // Temporary files are private by default, but this one becomes an ordinary file of the user's.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::tests::request;

    fn put(folder: &Path, path: &str, content: &str) {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    #[test]
    fn files_are_in_bytewise_order_of_their_paths_each_after_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        put(&two, "lib.rs", "two");
        put(&one, "tensor/api.rs", "deep\n\n");
        put(&one, "tensor.rs", "\nbeside\n");
        put(&one, "Zed.rs", "upper case\n");
        put(&one, "notes.md", "no source");
        put(&one, "greek.rs", "// \u{3b1}\n");
        let text = gather(&[("b", one), ("a", two)]).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "// b/src/Zed.rs\nupper case\n\n// b/src/tensor.rs\nbeside\n\n// b/src/tensor/api.rs\ndeep\n\n\
             // a/src/lib.rs\ntwo\n\n"
        );
    }

    #[test]
    fn another_text_is_refused_with_both_sums_and_what_to_do() {
        let error = check(b"abc").unwrap_err().to_string();
        assert!(
            error.contains("3 bytes with sha256 `ba7816bf8f01cfea414140de5dae2223b0036"),
            "{error}"
        );
        assert!(error.contains(SHA256), "{error}");
        assert!(
            error.contains("hint: if you changed the version of Burn, put the new values into"),
            "{error}"
        );
    }

    #[test]
    fn an_existing_corpus_is_kept() {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), PATH, "mine");
        prepare(root.path(), &Build::parse("")).unwrap();
        assert_eq!(fs::read_to_string(root.path().join(PATH)).unwrap(), "mine");
    }

    #[test]
    fn writing_leaves_no_temporary_file() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(PATH);
        write_atomically(&path, b"old").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn training_without_a_text_needs_the_corpus() {
        for line in ["train --epochs 1", "train --config mine.toml", "sweep sizes.toml"] {
            assert!(is_needed_by(&request(line)), "{line}");
        }
    }

    #[test]
    fn commands_that_name_their_text_or_train_nothing_new_need_no_corpus() {
        for line in [
            "train --text war.txt",
            "train --text=war.txt",
            "train --set data.text=war.txt",
            "train --resume --run anna",
            "train --help",
            "sweep -h",
            "generate",
            "plot",
        ] {
            assert!(!is_needed_by(&request(line)), "{line}");
        }
    }

    #[test]
    fn commands_that_name_the_corpus_need_it() {
        assert!(is_needed_by(&request("inspect datasets/burn-source.txt")));
        assert!(is_needed_by(&request("eval --text=datasets/burn-source.txt")));
        assert!(is_needed_by(&request("train --text datasets/burn-source.txt")));
    }
}
