//! Getting the text of a [`Descriptor`]: by download or from a copy, checked before it is there.

use std::error::Error as StdError;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use ureq::Agent;

use crate::atomic;
use crate::checksum::Hashing;
use crate::dataset::Descriptor;

const CHUNK: usize = 64 * 1024;
/// To find the host, connect and agree on keys.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// For the server to send anything more.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);

impl Descriptor {
    /// Checks that the file at `path` is this text, byte for byte.
    ///
    /// # Errors
    /// If it can't be read, or has another size or sum.
    pub fn verify(&self, path: impl AsRef<Path>) -> Result<(), ObtainError> {
        let path = path.as_ref();
        let file = open(path)?;
        self.pass(file, io::sink(), &mut |_, _| {}).map_err(|fault| self.of_file(path, fault, path))
    }

    /// Takes the text from a copy on disk: checks it and puts it at `dest`, whose folder is made if need be.
    ///
    /// # Errors
    /// If the copy can't be read or has another size or sum, or `dest` can't be written. Nothing is left behind then, and
    /// what was at `dest` stays.
    pub fn obtain_from(
        &self,
        copy: impl AsRef<Path>,
        dest: impl AsRef<Path>,
    ) -> Result<(), ObtainError> {
        let (copy, dest) = (copy.as_ref(), dest.as_ref());
        let file = open(copy)?;
        self.place(file, dest, &mut |_, _| {}).map_err(|fault| self.of_file(copy, fault, dest))
    }

    /// Downloads the text to `dest`, whose folder is made if need be. `progress` hears how many bytes have come, of how
    /// many.
    ///
    /// # Errors
    /// If the download fails or has another size or sum, or `dest` can't be written. Nothing is left behind then, and
    /// what was at `dest` stays. [`ObtainError::hint`] says what to do instead.
    pub fn download(
        &self,
        dest: impl AsRef<Path>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), ObtainError> {
        let config = Agent::config_builder().https_only(true);
        self.download_with(config, dest.as_ref(), progress)
    }

    fn download_with(
        &self,
        config: ureq::config::ConfigBuilder<ureq::typestate::AgentScope>,
        dest: &Path,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), ObtainError> {
        let agent: Agent = config
            .timeout_resolve(Some(CONNECT_TIMEOUT))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_per_read(Some(SILENCE_TIMEOUT))
            .build()
            .into();
        let failed = |source: Box<dyn StdError + Send + Sync>| ObtainError::Download {
            name: self.name.clone(),
            address: self.address.clone(),
            source,
        };
        let response = agent.get(&self.address).call().map_err(|error| failed(error.into()))?;
        let body = response.into_body().into_reader();
        self.place(body, dest, progress).map_err(|fault| match fault {
            Fault::Read(source) => failed(source.into()),
            Fault::Write(source) => ObtainError::unwritable(dest, source),
            Fault::Wrong(mismatch) => self.other_text(self.address.clone(), mismatch),
        })
    }

    /// Writes what `reader` gives to `dest`, if it is this text.
    fn place(
        &self,
        reader: impl Read,
        dest: &Path,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), Fault> {
        let mut draft = atomic::draft(dest).map_err(Fault::Write)?;
        self.pass(reader, &mut draft, progress)?;
        atomic::publish(draft, dest).map_err(Fault::Write)
    }

    /// Hands what `reader` gives on to `writer`, and says whether it was this text.
    fn pass(
        &self,
        reader: impl Read,
        mut writer: impl Write,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), Fault> {
        // One byte more tells that there are too many, without reading them all.
        let mut reader = Hashing::new(reader.take(self.bytes.saturating_add(1)));
        let mut buffer = vec![0; CHUNK];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => writer.write_all(&buffer[..read]).map_err(Fault::Write)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Fault::Read(error)),
            }
            progress(reader.passed().min(self.bytes), self.bytes);
        }
        let found = reader.passed();
        if found > self.bytes {
            return Err(Fault::Wrong(Mismatch::Longer { expected: self.bytes }));
        }
        if found < self.bytes {
            return Err(Fault::Wrong(Mismatch::Shorter { expected: self.bytes, found }));
        }
        let sum = reader.finish();
        if sum != self.sha256 {
            return Err(Fault::Wrong(Mismatch::Sum { expected: self.sha256.clone(), found: sum }));
        }
        Ok(())
    }

    fn of_file(&self, read: &Path, fault: Fault, written: &Path) -> ObtainError {
        match fault {
            Fault::Read(source) => ObtainError::Unreadable { path: read.to_owned(), source },
            Fault::Write(source) => ObtainError::unwritable(written, source),
            Fault::Wrong(mismatch) => self.other_text(read.display().to_string(), mismatch),
        }
    }

    fn other_text(&self, origin: String, mismatch: Mismatch) -> ObtainError {
        ObtainError::OtherText { name: self.name.clone(), origin, mismatch }
    }
}

fn open(path: &Path) -> Result<File, ObtainError> {
    File::open(path).map_err(|source| ObtainError::Unreadable { path: path.to_owned(), source })
}

enum Fault {
    Read(io::Error),
    Write(io::Error),
    Wrong(Mismatch),
}

/// Why a text could not be had.
#[derive(Debug, Error)]
pub enum ObtainError {
    /// The download failed.
    #[error("could not download `{name}` from {address}")]
    Download {
        /// The descriptor's name.
        name: String,
        /// Its address.
        address: String,
        /// Why.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// What was read is not the text that the descriptor describes.
    #[error("`{origin}` is not the text that `{name}` describes: {mismatch}")]
    OtherText {
        /// The descriptor's name.
        name: String,
        /// The file or address that was read.
        origin: String,
        /// How they differ.
        mismatch: Mismatch,
    },
    /// A file can't be read.
    #[error("could not read `{}`", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file can't be written.
    #[error("could not write `{}`", .path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl ObtainError {
    fn unwritable(path: &Path, source: io::Error) -> Self {
        Self::Unwritable { path: path.to_owned(), source }
    }

    /// What would help, if something would.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Download { name, address, .. } => Some(format!(
                "fetch {address} in another way, then `charloom dataset get {name} --from FILE`"
            )),
            Self::OtherText { .. } | Self::Unreadable { .. } | Self::Unwritable { .. } => None,
        }
    }
}

/// How a text differs from the one described.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Mismatch {
    /// It is too short.
    #[error("it has {found} bytes, not {expected}")]
    Shorter {
        /// Bytes that the descriptor states.
        expected: u64,
        /// Bytes that there are.
        found: u64,
    },
    /// It is too long; the rest was not read.
    #[error("it has more than {expected} bytes")]
    Longer {
        /// Bytes that the descriptor states.
        expected: u64,
    },
    /// It has the right length and other bytes.
    #[error("its sha256 is {found}, not {expected}")]
    Sum {
        /// The sum that the descriptor states.
        expected: String,
        /// The sum of what was read.
        found: String,
    },
}

#[cfg(test)]
mod tests;
