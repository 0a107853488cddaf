//! `charloom dataset`.

use std::path::{Path, PathBuf};

use charloom_data::{DatasetDescriptor, DownloadError};
use indicatif::{ProgressBar, ProgressStyle};

use crate::report::{
    Failure, Result, command, print_output, print_status, quoted_path, with_thousands,
};

/// Folder that texts are stored in; settings name them by their path in it.
pub const FOLDER: &str = "datasets";

/// The descriptors in the repository's `datasets/`, built in so that an installed program has them too.
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
    let at_path = |known: &DatasetDescriptor| Path::new(FOLDER).join(&known.file) == path;
    descriptors().ok()?.into_iter().find(at_path).map(|descriptor| descriptor.name)
}

/// Lists the datasets.
pub fn list() -> Result<()> {
    for DatasetDescriptor { name, title, address: _, file, bytes, sha256: _, licence, about } in
        descriptors()?
    {
        let downloaded = if Path::new(FOLDER).join(file).exists() { ", downloaded" } else { "" };
        print_output!(
            "{name}\n  {title}, {} bytes{downloaded}\n  {about}\n  {licence}\n",
            with_thousands(bytes)
        )?;
    }
    print_output!("`{} dataset get NAME` downloads one of them", command())
}

/// Downloads a dataset, or copies it from a file, unless its text is already there.
pub fn get(name: &str, from: Option<&Path>) -> Result<()> {
    let known = descriptors()?;
    let Some(descriptor) = known.iter().find(|known| known.name == name) else {
        let names: Vec<_> = known.iter().map(|known| format!("`{}`", known.name)).collect();
        return Err(Failure::request(format!("there is no dataset `{name}`"))
            .hint(format!("available datasets: {}", names.join(", "))));
    };
    let dest = PathBuf::from(FOLDER).join(&descriptor.file);
    if dest.exists() {
        return match descriptor.verify(&dest) {
            Ok(()) => {
                print_status!("`{}` already exists", dest.display());
                Ok(())
            }
            Err(DownloadError::OtherText { mismatch, .. }) => Err(Failure::request(format!(
                "`{}` already exists, but is not this dataset: {mismatch}",
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
    print_status!("wrote `{}`: {}", dest.display(), descriptor.title);
    print_status!("`{} train --text {}` trains on it", command(), quoted_path(&dest));
    Ok(())
}

fn download(descriptor: &DatasetDescriptor, dest: &Path) -> Result<(), DownloadError> {
    let style = ProgressStyle::with_template(
        "{msg} [{bar:30}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar());
    // The bar is hidden if standard error is not a terminal.
    let bar = ProgressBar::new(descriptor.bytes).with_style(style);
    bar.set_message(descriptor.name.clone());
    let done = descriptor.download(dest, &mut |bytes, _| bar.set_position(bytes));
    bar.finish_and_clear();
    done
}

fn failure(error: &DownloadError) -> Failure {
    match error {
        // Errors of the file that the user named.
        DownloadError::OtherText { .. } | DownloadError::Unreadable { .. } => {
            Failure::request_error(error)
        }
        DownloadError::Download { name, address, .. } => Failure::work_error(error).hint(format!(
            "download `{address}` by other means, then run `{} dataset get {name} --from FILE`",
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
    fn a_dataset_is_found_by_its_texts_path() {
        assert_eq!(at(Path::new("datasets/alice.txt")).as_deref(), Some("alice"));
        assert_eq!(at(Path::new("elsewhere/alice.txt")), None);
    }
}
