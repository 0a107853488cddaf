//! Atomic file writes: a file appears complete or not at all.

use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// Creates a temporary file in the folder of `path`, to be renamed to it by [`persist`]. It is deleted on drop. The folder
/// is created if it is missing.
///
/// # Errors
/// If the folder or the file can't be created.
pub fn create_temp(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".tmp");
    // Temporary files are private by default, but this one becomes an ordinary file of the user's.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => {
            std::fs::create_dir_all(folder)?;
            builder.tempfile_in(folder)
        }
        _ => builder.tempfile_in("."),
    }
}

/// Syncs a file of [`create_temp`] to disk and renames it to `path`, replacing an existing file.
///
/// # Errors
/// If syncing or renaming fails. The temporary file is then deleted.
pub fn persist(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Writes `bytes` to `path` atomically, replacing an existing file. The folder is created if it is missing.
///
/// # Errors
/// If the file can't be written. An existing one is then left as it was.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create_temp(path)?;
    file.write_all(bytes)?;
    persist(file, path)
}
