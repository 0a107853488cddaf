//! `charloom dataset`.

use std::path::{Path, PathBuf};

use charloom_data::{DatasetDescriptor, DownloadError};
use indicatif::{ProgressBar, ProgressStyle};

use crate::report::{Failure, Result, answer, command, grouped, quoted, say};

/// Folder that texts are stored in; settings name them by their path in it.
pub const FOLDER: &str = "datasets";

/// The descriptors in the repository's `datasets/`, built in so that the program has them wherever it is started.
const DESCRIPTORS: [(&str, &str); 6] = [
    ("alice.toml", include_str!("../../../../datasets/alice.toml")),
    ("anna-karenina.toml", include_str!("../../../../datasets/anna-karenina.toml")),
    ("baby-names.toml", include_str!("../../../../datasets/baby-names.toml")),
    ("sherlock-holmes.toml", include_str!("../../../../datasets/sherlock-holmes.toml")),
    ("tiny-shakespeare.toml", include_str!("../../../../datasets/tiny-shakespeare.toml")),
    ("war-and-peace.toml", include_str!("../../../../datasets/war-and-peace.toml")),
];

fn descriptors() -> Result<Vec<DatasetDescriptor>> {
    DESCRIPTORS
        .iter()
        .map(|(file, text)| DatasetDescriptor::parse(text, file))
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::work_error(&error))
}

/// The name of the dataset whose text is stored at `path`, if there is one.
pub fn at(path: &Path) -> Option<String> {
    let known = descriptors().ok()?;
    let found = known.into_iter().find(|known| Path::new(FOLDER).join(&known.file) == path)?;
    Some(found.name)
}

/// Lists the datasets.
pub fn list() -> Result<()> {
    for DatasetDescriptor { name, title, address: _, file, bytes, sha256: _, licence, about } in
        descriptors()?
    {
        let there = if Path::new(FOLDER).join(file).exists() { ", downloaded" } else { "" };
        answer!("{name}\n  {title}, {} bytes{there}\n  {about}\n  {licence}\n", grouped(bytes))?;
    }
    answer!("`{} dataset get NAME` downloads one of them", command())
}

/// Downloads a dataset, or copies it from a file, unless its text is already there.
pub fn get(name: &str, from: Option<&Path>) -> Result<()> {
    let known = descriptors()?;
    let Some(descriptor) = known.iter().find(|known| known.name == name) else {
        let names: Vec<_> = known.iter().map(|known| format!("`{}`", known.name)).collect();
        return Err(Failure::request(format!("there is no dataset `{name}`"))
            .hint(format!("available are {}", names.join(", "))));
    };
    let dest = PathBuf::from(FOLDER).join(&descriptor.file);
    if dest.exists() {
        return match descriptor.verify(&dest) {
            Ok(()) => {
                say!("`{}` already exists", dest.display());
                Ok(())
            }
            Err(DownloadError::OtherText { mismatch, .. }) => Err(Failure::request(format!(
                "`{}` already exists and is another text: {mismatch}",
                dest.display()
            ))
            .hint("move or delete the existing file first")),
            Err(error) => Err(failure(&error)),
        };
    }
    match from {
        Some(copy) => descriptor.copy_from(copy, &dest),
        None => download(descriptor, &dest),
    }
    .map_err(|error| failure(&error))?;
    say!("wrote `{}`: {}", dest.display(), descriptor.title);
    say!("`{} train --text {}` trains on it", command(), quoted(&dest.to_string_lossy()));
    Ok(())
}

fn download(descriptor: &DatasetDescriptor, dest: &Path) -> Result<(), DownloadError> {
    let style = ProgressStyle::with_template(
        "{msg} [{bar:30}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar());
    // The bar is hidden where standard error is no terminal.
    let bar = ProgressBar::new(descriptor.bytes).with_style(style);
    bar.set_message(descriptor.name.clone());
    let done = descriptor.download(dest, &mut |bytes, _| bar.set_position(bytes));
    bar.finish_and_clear();
    done
}

fn failure(error: &DownloadError) -> Failure {
    match error {
        // The copy that the user named is not usable.
        DownloadError::OtherText { .. } | DownloadError::Unreadable { .. } => {
            Failure::request_error(error)
        }
        DownloadError::Download { name, address, .. } => Failure::work_error(error).hint(format!(
            "download {address} in another way, then run `{} dataset get {name} --from FILE`",
            command()
        )),
        DownloadError::Unwritable { .. } => Failure::work_error(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_descriptor_of_the_repository_is_built_in() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets");
        assert_eq!(descriptors().unwrap(), DatasetDescriptor::read_all(folder).unwrap());
    }

    #[test]
    fn a_text_is_known_by_its_path() {
        assert_eq!(at(Path::new("datasets/alice.txt")).as_deref(), Some("alice"));
        assert_eq!(at(Path::new("elsewhere/alice.txt")), None);
    }
}
