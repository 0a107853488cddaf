//! Files that appear whole or not at all.

use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// An unnamed-as-yet file beside `path`, for [`publish`]; dropped, it is gone.
pub fn draft(path: &Path) -> io::Result<NamedTempFile> {
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

/// Gives a finished [`draft`] its name, replacing what had it.
pub fn publish(draft: NamedTempFile, path: &Path) -> io::Result<()> {
    draft.as_file().sync_all()?;
    draft.persist(path)?;
    Ok(())
}

/// Writes a whole file, replacing what had its name.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = draft(path)?;
    file.write_all(bytes)?;
    publish(file, path)
}
