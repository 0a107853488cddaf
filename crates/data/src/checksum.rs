//! SHA-256 checksums.

use std::fmt::Write;
use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// A reader that hashes and counts the bytes that pass through it.
pub(crate) struct HashingReader<R> {
    inner: R,
    hash: Sha256,
    bytes: u64,
}

impl<R> HashingReader<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self::with_hash(inner, Sha256::new())
    }

    /// Continues a hash of other bytes.
    pub(crate) fn with_hash(inner: R, hash: Sha256) -> Self {
        Self { inner, hash, bytes: 0 }
    }

    /// The hash, to be continued.
    pub(crate) fn into_hash(self) -> Sha256 {
        self.hash
    }

    /// Number of bytes read so far.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes
    }

    /// SHA-256 of the bytes read, in lower-case hexadecimal.
    pub(crate) fn finish(self) -> String {
        hex(&self.hash.finalize())
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

/// SHA-256 of `bytes`, in lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
