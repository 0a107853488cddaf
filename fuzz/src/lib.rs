//! What the fuzz targets share.

use std::path::Path;
use std::sync::LazyLock;

use tempfile::TempDir;

/// A folder that is removed when the process ends.
static FOLDER: LazyLock<TempDir> =
    LazyLock::new(|| tempfile::tempdir().expect("a temporary folder"));

/// The folder of this process for files.
pub fn folder() -> &'static Path {
    FOLDER.path()
}

/// Calls `read` with the path of a file of this content.
pub fn with_file(content: &[u8], read: impl FnOnce(&Path)) {
    let path = folder().join("input");
    std::fs::write(&path, content).expect("the file is written");
    read(&path);
}
