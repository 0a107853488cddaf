//! Every command in the answers to a learner's questions does what it says there.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::world::search_path;

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The blocks of shell commands of the page, in order, each with its line.
fn blocks(page: &str) -> Vec<(usize, String)> {
    let mut blocks: Vec<(usize, String)> = Vec::new();
    let mut inside = false;
    for (number, line) in (1..).zip(page.lines()) {
        match (inside, line) {
            (false, "```sh") => {
                blocks.push((number, String::new()));
                inside = true;
            }
            (true, "```") => inside = false,
            (true, line) => {
                if let Some((_, block)) = blocks.last_mut() {
                    *block += line;
                    *block += "\n";
                }
            }
            (false, _) => {}
        }
    }
    blocks
}

#[test]
fn every_command_among_the_answers_works() {
    let page = std::fs::read_to_string(root().join("docs/questions.md")).unwrap();
    let blocks = blocks(&page);
    let questions = page.lines().filter(|line| line.starts_with("### ")).count();
    assert_eq!((questions, blocks.len() > 20), (31, true), "the page is read as it is written");

    let folder = tempfile::tempdir().unwrap();
    // What the commands read of the repository.
    std::os::unix::fs::symlink(root().join("crates"), folder.path().join("crates")).unwrap();
    for (line, block) in blocks {
        let output = Command::new("sh")
            .args(["-ec", &block])
            .current_dir(folder.path())
            .env("PATH", search_path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "docs/questions.md:{line}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        // What is filtered would otherwise hide that a command failed.
        assert!(
            !String::from_utf8_lossy(&output.stderr).contains("panicked"),
            "docs/questions.md:{line}"
        );
    }
}
