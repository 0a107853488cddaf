//! Getting the text of a [`DatasetDescriptor`]: by download or from a copy, verified before it is in place.

use std::error::Error as StdError;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
#[cfg(feature = "download")]
use std::time::Duration;

use thiserror::Error;
#[cfg(feature = "download")]
use ureq::Agent;

use crate::atomic;
use crate::checksum::HashingReader;
use crate::dataset::DatasetDescriptor;

/// Bytes read at a time.
const CHUNK: usize = 64 * 1024;
/// For each of resolving the host's name and connecting to it, the TLS handshake included.
#[cfg(feature = "download")]
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// For the server to send more of the body.
#[cfg(feature = "download")]
const READ_TIMEOUT: Duration = Duration::from_secs(60);

impl DatasetDescriptor {
    /// Checks that the file at `path` is this text, byte for byte.
    ///
    /// # Errors
    /// If the file can't be read, or its length or checksum differs.
    pub fn verify(&self, path: impl AsRef<Path>) -> Result<(), DownloadError> {
        let path = path.as_ref();
        let file = open(path)?;
        self.transfer(file, io::sink(), &mut |_, _| {})
            .map_err(|error| self.file_error(error, path, path))
    }

    /// Copies the text from a file on disk to `dest`, whose folder is created if it is missing.
    ///
    /// # Errors
    /// If the copy can't be read, its length or checksum differs, or `dest` can't be written. An existing file at `dest`
    /// is then left as it was, and nothing else remains.
    pub fn copy_from(
        &self,
        copy: impl AsRef<Path>,
        dest: impl AsRef<Path>,
    ) -> Result<(), DownloadError> {
        let (copy, dest) = (copy.as_ref(), dest.as_ref());
        let file = open(copy)?;
        self.write_verified(file, dest, &mut |_, _| {})
            .map_err(|error| self.file_error(error, copy, dest))
    }

    /// Downloads the text to `dest`, whose folder is created if it is missing. `progress` is called with the number of
    /// bytes received and the total.
    ///
    /// # Errors
    /// If the download fails, its length or checksum differs, or `dest` can't be written. An existing file at `dest` is
    /// then left as it was, and nothing else remains.
    #[cfg(feature = "download")]
    pub fn download(
        &self,
        dest: impl AsRef<Path>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), DownloadError> {
        let config = Agent::config_builder().https_only(true);
        self.download_with(config, dest.as_ref(), progress)
    }

    #[cfg(feature = "download")]
    fn download_with(
        &self,
        config: ureq::config::ConfigBuilder<ureq::typestate::AgentScope>,
        dest: &Path,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), DownloadError> {
        let agent: Agent = config
            .timeout_resolve(Some(CONNECT_TIMEOUT))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_per_read(Some(READ_TIMEOUT))
            .build()
            .into();
        let failed = |source: Box<dyn StdError + Send + Sync>| DownloadError::Download {
            name: self.name.clone(),
            address: self.address.clone(),
            source,
        };
        let response = agent.get(&self.address).call().map_err(|error| failed(error.into()))?;
        let body = response.into_body().into_reader();
        self.write_verified(body, dest, progress).map_err(|error| match error {
            TransferError::Read(source) => failed(source.into()),
            TransferError::Write(source) => DownloadError::unwritable(dest, source),
            TransferError::Mismatch(mismatch) => self.other_text(self.address.clone(), mismatch),
        })
    }

    /// Writes the bytes of `reader` to `dest`, if they are this text.
    fn write_verified(
        &self,
        reader: impl Read,
        dest: &Path,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), TransferError> {
        let mut file = atomic::create_temp(dest).map_err(TransferError::Write)?;
        self.transfer(reader, &mut file, progress)?;
        atomic::persist(file, dest).map_err(TransferError::Write)
    }

    /// Copies `reader` to `writer`, and fails if the bytes are not this text.
    fn transfer(
        &self,
        reader: impl Read,
        mut writer: impl Write,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), TransferError> {
        // One byte more shows that the text is too long, without reading all of it.
        let mut reader = HashingReader::new(reader.take(self.bytes.saturating_add(1)));
        let mut buffer = vec![0; CHUNK];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => writer.write_all(&buffer[..read]).map_err(TransferError::Write)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(TransferError::Read(error)),
            }
            progress(reader.bytes_read().min(self.bytes), self.bytes);
        }
        let found = reader.bytes_read();
        if found > self.bytes {
            return Err(TransferError::Mismatch(Mismatch::Longer { expected: self.bytes }));
        }
        if found < self.bytes {
            return Err(TransferError::Mismatch(Mismatch::Shorter { expected: self.bytes, found }));
        }
        let found = reader.finish();
        if found != self.sha256 {
            let expected = self.sha256.clone();
            return Err(TransferError::Mismatch(Mismatch::Checksum { expected, found }));
        }
        Ok(())
    }

    fn file_error(&self, error: TransferError, source: &Path, dest: &Path) -> DownloadError {
        match error {
            TransferError::Read(error) => DownloadError::unreadable(source, error),
            TransferError::Write(error) => DownloadError::unwritable(dest, error),
            TransferError::Mismatch(mismatch) => {
                self.other_text(source.display().to_string(), mismatch)
            }
        }
    }

    fn other_text(&self, origin: String, mismatch: Mismatch) -> DownloadError {
        DownloadError::OtherText { name: self.name.clone(), origin, mismatch }
    }
}

fn open(path: &Path) -> Result<File, DownloadError> {
    File::open(path).map_err(|source| DownloadError::unreadable(path, source))
}

/// Why bytes could not be copied, wherever they come from.
enum TransferError {
    Read(io::Error),
    Write(io::Error),
    Mismatch(Mismatch),
}

/// Why the text of a dataset could not be verified, copied or downloaded.
#[derive(Debug, Error)]
pub enum DownloadError {
    /// The download failed.
    #[error("could not download `{name}` from `{address}`")]
    Download {
        /// Name of the dataset.
        name: String,
        /// Address that was requested.
        address: String,
        /// Error of the connection or of the server.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The bytes are not the text that the descriptor describes.
    #[error("`{origin}` is not the dataset `{name}`: {mismatch}")]
    OtherText {
        /// Name of the dataset.
        name: String,
        /// File or address that was read.
        origin: String,
        /// The first difference that was found.
        mismatch: Mismatch,
    },
    /// A file can't be read.
    #[error("could not read `{}`", .path.display())]
    Unreadable {
        /// Path of the file.
        path: PathBuf,
        /// I/O error.
        source: io::Error,
    },
    /// A file can't be written.
    #[error("could not write `{}`", .path.display())]
    Unwritable {
        /// Path of the file.
        path: PathBuf,
        /// I/O error.
        source: io::Error,
    },
}

impl DownloadError {
    fn unreadable(path: &Path, source: io::Error) -> Self {
        Self::Unreadable { path: path.to_owned(), source }
    }

    fn unwritable(path: &Path, source: io::Error) -> Self {
        Self::Unwritable { path: path.to_owned(), source }
    }
}

/// How a text differs from the one that a descriptor describes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Mismatch {
    /// It is too short.
    #[error("it has {found} bytes, not {expected}")]
    Shorter {
        /// Length in bytes that the descriptor states.
        expected: u64,
        /// Length in bytes of what was read.
        found: u64,
    },
    /// It is too long; the rest was not read.
    #[error("it has more than {expected} bytes")]
    Longer {
        /// Length in bytes that the descriptor states.
        expected: u64,
    },
    /// It has the right length and other bytes.
    #[error("its SHA-256 is `{found}`, not `{expected}`")]
    Checksum {
        /// Checksum that the descriptor states.
        expected: String,
        /// Checksum of what was read.
        found: String,
    },
}

#[cfg(test)]
mod tests;
