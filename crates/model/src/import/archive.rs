//! The ZIP archive that `torch.save` writes: `data.pkl`, and an entry for each storage, in one folder.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Read};

use flate2::read::DeflateDecoder;
use rawzip::{CompressionMethod, ZipArchive, ZipArchiveEntryWayfinder, ZipSliceArchive};

use super::NotPyTorch;

/// An archive in memory. An entry is read only if the size in the directory is plausible.
pub struct Archive {
    zip: ZipSliceArchive<Vec<u8>>,
    /// The entries of the archive's folder, by their names within it.
    entries: HashMap<String, Entry>,
}

struct Entry {
    location: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
    encrypted: bool,
}

/// Most entries of an archive: there is one for each tensor.
const MAX_ENTRIES: usize = 100_000;
/// How many times as large as its compressed bytes a compressed entry may be. Weights compress to no less than half.
const MAX_EXPANSION: u64 = 16;
/// Uncompressed size that an entry may always have, whatever its compressed size: biases may be all zeros.
const ANY_EXPANSION: u64 = 1 << 20;

impl Archive {
    /// Reads the archive's directory.
    pub fn open(bytes: Vec<u8>) -> Result<Self, NotPyTorch> {
        let zip = ZipArchive::from_slice(bytes).map_err(zip_error)?;
        let mut all = HashMap::new();
        let mut records = zip.entries();
        while let Some(record) = records.next_entry().map_err(zip_error)? {
            let name = String::from_utf8_lossy(record.file_path().as_bytes()).into_owned();
            let entry = Entry {
                location: record.wayfinder(),
                method: record.compression_method(),
                encrypted: record.flags().is_encrypted(),
            };
            if all.len() == MAX_ENTRIES {
                return Err(NotPyTorch::Broken("the archive has more than 100,000 entries"));
            }
            if all.insert(name, entry).is_some() {
                return Err(NotPyTorch::Broken("two entries of the archive have the same name"));
            }
        }
        // `torch.save` names the folder after the file.
        let mut folders = all.keys().filter_map(|name| name.strip_suffix("data.pkl"));
        let folder = match (folders.next(), folders.next()) {
            (Some(folder), None) => folder.to_owned(),
            (None, _) => return Err(NotPyTorch::Broken("the archive has no `data.pkl`")),
            (Some(_), Some(_)) => {
                return Err(NotPyTorch::Broken("the archive has more than one `data.pkl`"));
            }
        };
        let within = |(name, entry): (String, _)| Some((name.strip_prefix(&folder)?.into(), entry));
        let entries = all.into_iter().filter_map(within).collect();
        Ok(Self { zip, entries })
    }

    /// Length of the archive in bytes.
    pub fn file_len(&self) -> usize {
        self.zip.get_ref().len()
    }

    /// Memory in bytes that reading an entry takes: none where it is stored as it is.
    pub fn inflated_size(&self, name: &str) -> u64 {
        match self.entries.get(name) {
            Some(entry) if entry.method != CompressionMethod::STORE => {
                entry.location.uncompressed_size_hint()
            }
            _ => 0,
        }
    }

    /// Size of an entry in bytes, if there is one of that name.
    ///
    /// # Errors
    /// If the entry is encrypted or its size isn't credible.
    pub fn size(&self, name: &str) -> io::Result<Option<u64>> {
        let Some(Entry { location, method, encrypted }) = self.entries.get(name) else {
            return Ok(None);
        };
        let (size, compressed) =
            (location.uncompressed_size_hint(), location.compressed_size_hint());
        let credible = match *method {
            CompressionMethod::STORE => size == compressed,
            CompressionMethod::DEFLATE => size <= expanded(compressed),
            _ => return Err(invalid("an entry of the archive has an unknown compression method")),
        };
        if *encrypted {
            return Err(invalid("an entry of the archive is encrypted"));
        }
        if !credible || compressed > self.zip.get_ref().len() as u64 {
            return Err(invalid("an entry of the archive claims a size that can't be right"));
        }
        Ok(Some(size))
    }

    /// Content of an entry, if there is one of that name.
    ///
    /// # Errors
    /// If [`size`](Self::size) refuses the entry, or its size or checksum is wrong.
    pub fn read(&self, name: &str) -> io::Result<Option<Cow<'_, [u8]>>> {
        let (Some(size), Some(Entry { location, method, .. })) =
            (self.size(name)?, self.entries.get(name))
        else {
            return Ok(None);
        };
        let entry = self.zip.get_entry(*location).map_err(io::Error::other)?;
        let content = match *method {
            CompressionMethod::STORE => Cow::Borrowed(entry.data()),
            _ => {
                let mut content = Vec::new();
                DeflateDecoder::new(entry.data()).take(size).read_to_end(&mut content)?;
                Cow::Owned(content)
            }
        };
        let expected = entry.claim_verifier();
        // `torch.serialization.set_crc32_options(False)` writes 0 for every checksum.
        let crc = if expected.crc == 0 { 0 } else { rawzip::crc32(&content) };
        let found = rawzip::ZipVerification { crc, uncompressed_size: content.len() as u64 };
        expected.valid(found).map_err(io::Error::other)?;
        Ok(Some(content))
    }
}

/// Most bytes that a compressed entry of this size may have.
fn expanded(compressed: u64) -> u64 {
    compressed.saturating_mul(MAX_EXPANSION).saturating_add(ANY_EXPANSION)
}

fn invalid(problem: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

fn zip_error(error: rawzip::Error) -> NotPyTorch {
    NotPyTorch::Archive(io::Error::other(error))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::DeflateEncoder;
    use rawzip::ZipArchiveWriter;

    use super::*;

    fn archive(entries: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
        let mut zip = ZipArchiveWriter::new(Vec::new());
        for &(name, content) in entries {
            let builder = zip.new_file(name).compression_method(method);
            let (mut entry, config) = builder.start().unwrap();
            let descriptor = if method == CompressionMethod::STORE {
                let mut writer = config.wrap(&mut entry);
                writer.write_all(content).unwrap();
                writer.finish().unwrap().1
            } else {
                let encoder = DeflateEncoder::new(&mut entry, Compression::default());
                let mut writer = config.wrap(encoder);
                writer.write_all(content).unwrap();
                let (encoder, descriptor) = writer.finish().unwrap();
                encoder.finish().unwrap();
                descriptor
            };
            entry.finish(descriptor).unwrap();
        }
        zip.finish().unwrap()
    }

    const STORE: CompressionMethod = CompressionMethod::STORE;
    const DEFLATE: CompressionMethod = CompressionMethod::DEFLATE;

    #[test]
    fn stored_and_compressed_entries_are_read() {
        let numbers: Vec<u8> = (0..10_000u32).map(|n| (n * n % 251) as u8).collect();
        for method in [STORE, DEFLATE] {
            let entries = [("net/data.pkl", &b"N."[..]), ("net/data/0", &numbers)];
            let archive = Archive::open(archive(&entries, method)).unwrap();
            assert_eq!(*archive.read("data.pkl").unwrap().unwrap(), *b"N.");
            assert_eq!(archive.size("data/0").unwrap(), Some(10_000));
            assert_eq!(*archive.read("data/0").unwrap().unwrap(), numbers);
            assert!(archive.read("data/1").unwrap().is_none());
        }
    }

    #[test]
    fn an_entry_that_expands_beyond_measure_is_refused_before_it_is_read() {
        let bytes = archive(&[("a/data.pkl", &vec![0; 64 << 20])], DEFLATE);
        let error = Archive::open(bytes).unwrap().read("data.pkl").unwrap_err().to_string();
        assert_eq!(error, "an entry of the archive claims a size that can't be right");
    }

    #[test]
    fn a_changed_byte_fails_the_checksum_if_there_is_one() {
        let content = b"five five five";
        let bytes = archive(&[("a/data.pkl", content)], STORE);
        let at = bytes.windows(content.len()).position(|part| part == content).unwrap();
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let error = Archive::open(changed.clone()).unwrap().read("data.pkl").unwrap_err();
        assert!(error.to_string().starts_with("Invalid checksum"), "{error}");
        let crc = rawzip::crc32(content).to_le_bytes();
        while let Some(at) = changed.windows(4).position(|part| part == crc) {
            changed[at..at + 4].fill(0);
        }
        let archive = Archive::open(changed).unwrap();
        assert_eq!(*archive.read("data.pkl").unwrap().unwrap(), *b"give five five");
    }

    #[test]
    fn an_archive_with_no_pickle_or_two_is_refused() {
        let error =
            |entries: &[_]| Archive::open(archive(entries, STORE)).err().unwrap().to_string();
        assert_eq!(error(&[("a/b", &b""[..])]), "the archive has no `data.pkl`");
        let two = [("a/data.pkl", &b""[..]), ("b/data.pkl", b"")];
        assert_eq!(error(&two), "the archive has more than one `data.pkl`");
        let same = [("a/data.pkl", &b""[..]), ("a/data.pkl", b"")];
        assert_eq!(error(&same), "two entries of the archive have the same name");
    }

    #[test]
    fn what_is_not_an_archive_is_refused() {
        for bytes in [&b""[..], b"PK\x03\x04", &[b'P'; 300], b"PK\x05\x06aaaaaaaaaaaaaaaaaa"] {
            assert!(Archive::open(bytes.to_vec()).is_err());
        }
    }
}
