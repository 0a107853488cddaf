//! `charloom dataset`.

use std::path::{Path, PathBuf};

use charloom_data::{Descriptor, ObtainError};
use indicatif::{ProgressBar, ProgressStyle};

use crate::report::{Failure, Result, answer, command, grouped, say};

/// Where texts land: settings name them by this path.
pub const FOLDER: &str = "datasets";

/// The descriptors of the repository's `datasets/`, so that the program finds them wherever it is started.
const DESCRIPTORS: [(&str, &str); 6] = [
    ("alice.toml", include_str!("../../../../datasets/alice.toml")),
    ("anna-karenina.toml", include_str!("../../../../datasets/anna-karenina.toml")),
    ("baby-names.toml", include_str!("../../../../datasets/baby-names.toml")),
    ("sherlock-holmes.toml", include_str!("../../../../datasets/sherlock-holmes.toml")),
    ("tiny-shakespeare.toml", include_str!("../../../../datasets/tiny-shakespeare.toml")),
    ("war-and-peace.toml", include_str!("../../../../datasets/war-and-peace.toml")),
];

fn descriptors() -> Result<Vec<Descriptor>> {
    DESCRIPTORS
        .iter()
        .map(|(file, text)| Descriptor::parse(text, file))
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::work_error(&error))
}

/// The well-known text that belongs at `path`, if one does.
pub fn at(path: &Path) -> Option<String> {
    let known = descriptors().ok()?;
    let found = known.into_iter().find(|known| Path::new(FOLDER).join(&known.file) == path)?;
    Some(found.name)
}

/// Lists them.
pub fn list() -> Result<()> {
    for Descriptor { name, title, address: _, file, bytes, sha256: _, licence, about } in
        descriptors()?
    {
        let there = if Path::new(FOLDER).join(file).exists() { ", already here" } else { "" };
        answer!("{name}\n  {title}, {} bytes{there}\n  {about}\n  {licence}\n", grouped(bytes))?;
    }
    answer!("`{} dataset get NAME` gets one of them", command())
}

/// Gets one of them.
pub fn get(name: &str, from: Option<&Path>) -> Result<()> {
    let known = descriptors()?;
    let Some(descriptor) = known.iter().find(|known| known.name == name) else {
        let names: Vec<_> = known.iter().map(|known| format!("`{}`", known.name)).collect();
        return Err(Failure::request(format!("there is no dataset `{name}`"))
            .hint(format!("there are {}", names.join(", "))));
    };
    let dest = PathBuf::from(FOLDER).join(&descriptor.file);
    if dest.exists() {
        return match descriptor.verify(&dest) {
            Ok(()) => {
                say!("`{}` is there already", dest.display());
                Ok(())
            }
            Err(ObtainError::OtherText { mismatch, .. }) => Err(Failure::request(format!(
                "`{}` is there already, and is another text: {mismatch}",
                dest.display()
            ))
            .hint("move it away, and nothing of it is lost")),
            Err(error) => Err(failure(&error)),
        };
    }
    match from {
        Some(copy) => descriptor.obtain_from(copy, &dest),
        None => download(descriptor, &dest),
    }
    .map_err(|error| failure(&error))?;
    say!("`{}` is here: {}", dest.display(), descriptor.title);
    say!("`{} train --text {}` trains on it", command(), dest.display());
    Ok(())
}

fn download(descriptor: &Descriptor, dest: &Path) -> Result<(), ObtainError> {
    let style = ProgressStyle::with_template(
        "{msg} [{bar:30}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar());
    // Where there is no terminal, the bar doesn't show.
    let bar = ProgressBar::new(descriptor.bytes).with_style(style);
    bar.set_message(descriptor.name.clone());
    let done = descriptor.download(dest, &mut |bytes, _| bar.set_position(bytes));
    bar.finish_and_clear();
    done
}

fn failure(error: &ObtainError) -> Failure {
    match error {
        // The copy that was named is not what it should be.
        ObtainError::OtherText { .. } | ObtainError::Unreadable { .. } => {
            Failure::request_error(error)
        }
        ObtainError::Download { .. } | ObtainError::Unwritable { .. } => Failure::work_error(error),
    }
    .maybe_hint(error.hint())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_descriptor_of_the_repository_is_built_in() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets");
        assert_eq!(descriptors().unwrap(), Descriptor::read_all(folder).unwrap());
    }

    #[test]
    fn a_text_is_known_by_its_path() {
        assert_eq!(at(Path::new("datasets/alice.txt")).as_deref(), Some("alice"));
        assert_eq!(at(Path::new("elsewhere/alice.txt")), None);
    }
}
