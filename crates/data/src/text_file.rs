//! [`TextFile`]: one file of a text, decoded piece by piece as often as needed.

use std::cell::Cell;
use std::fs::{File, FileType};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use sha2::Sha256;

use crate::checksum::HashingReader;
use crate::corpus::CorpusError;
use crate::documents::{DocumentMarker, Documents};
use crate::file_kind::FileKind;
use crate::marks::END_MARK;
use crate::normalizer::Normalizer;
use crate::text_format::TextFormat;
use crate::text_paths::STDIN;
use crate::utf8::{CHUNK, DecodeError, decode_chunks, read_some};

/// A file of a text.
#[derive(Debug)]
pub(crate) struct TextFile {
    pub path: PathBuf,
    /// What came through a pipe, which can be read only once.
    spooled: Option<File>,
    pub encoding: &'static Encoding,
    /// Length in bytes of the byte-order mark at the start, or 0.
    pub mark: u64,
    format: TextFormat,
}

/// What the first bytes tell.
const HEAD: usize = 8 * 1024;

impl TextFile {
    /// Opens a file, or reads a pipe to its end.
    ///
    /// # Errors
    /// If it can't be read, or is something else than text.
    pub fn open(path: &Path, format: TextFormat) -> Result<Self, CorpusError> {
        let failed = |source| unreadable(path, source);
        let spooled = match path == Path::new(STDIN) {
            true => Some(spool(&mut io::stdin().lock()).map_err(failed)?),
            false => {
                let kind = std::fs::metadata(path).map_err(failed)?.file_type();
                match (kind.is_file(), is_pipe(kind)) {
                    (true, _) => None,
                    (_, true) => {
                        Some(spool(&mut File::open(path).map_err(failed)?).map_err(failed)?)
                    }
                    _ => {
                        let (path, folder) = (path.to_owned(), kind.is_dir());
                        return Err(CorpusError::NotAFile { path, folder });
                    }
                }
            }
        };
        let mut file = Self { path: path.to_owned(), spooled, encoding: UTF_8, mark: 0, format };
        let mut head = Vec::new();
        file.bytes()?.take(HEAD as u64).read_to_end(&mut head).map_err(failed)?;
        if let Some(encoding) = format.encoding {
            file.encoding = encoding;
        }
        if format.encoding.is_none()
            && let Some(kind) = FileKind::of_signature(&head)
        {
            return Err(CorpusError::NotText { path: path.to_owned(), kind });
        }
        if let Some((encoding, mark)) = Encoding::for_bom(&head)
            && format.encoding.is_none_or(|given| given == encoding || is_utf16(given))
        {
            (file.encoding, file.mark) = (encoding, mark as u64);
        }
        Ok(file)
    }

    /// The bytes from the start.
    fn bytes(&self) -> Result<File, CorpusError> {
        let open = || match &self.spooled {
            Some(spooled) => {
                let mut file = spooled.try_clone()?;
                file.seek(SeekFrom::Start(0))?;
                Ok(file)
            }
            None => File::open(&self.path),
        };
        open().map_err(|source| unreadable(&self.path, source))
    }

    /// Decodes the file; `take` may end it early by returning `false`. Returns the number of `\r` in normalised line ends.
    ///
    /// Where UTF-8 [is assumed](Self::is_assumed_utf8) and the file isn't, call [`detect`](Self::detect) and start again.
    pub fn decode(&self, take: &mut dyn FnMut(&str) -> bool) -> Result<u64, CorpusError> {
        self.decode_from(self.bytes()?, take)
    }

    /// The same, and a hash that also covers the bytes of the file.
    pub fn decode_hashed(
        &self,
        hash: Sha256,
        take: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Sha256, CorpusError> {
        let mut bytes = HashingReader::with_hash(self.bytes()?, hash);
        self.decode_from(&mut bytes, take)?;
        Ok(bytes.into_hash())
    }

    fn decode_from(
        &self,
        mut bytes: impl Read,
        take: &mut dyn FnMut(&str) -> bool,
    ) -> Result<u64, CorpusError> {
        let mut mark = [0; 3];
        (bytes.read_exact(&mut mark[..self.mark as usize]))
            .map_err(|source| unreadable(&self.path, source))?;
        let mut normalizer = Normalizer::new(self.format);
        let mut marker = DocumentMarker::new(self.format.documents);
        let (wanted, reserved) = (Cell::new(true), Cell::new(false));
        let mut take = |text: &str| wanted.set(wanted.get() && take(text));
        let mut normalize = |text: &str| {
            reserved.set(self.format.documents != Documents::None && text.contains(END_MARK));
            normalizer.push(text, &mut |text| marker.push(text, &mut take));
            wanted.get() && !reserved.get()
        };
        match self.encoding == UTF_8 {
            true => decode_chunks(bytes, &mut normalize),
            false => decode_other(bytes, self.encoding, &mut normalize),
        }
        .map_err(|error| self.failed(error))?;
        if reserved.get() {
            return Err(CorpusError::Reserved { path: self.path.clone(), char: END_MARK });
        }
        normalizer.finish(&mut |text| marker.push(text, &mut take));
        marker.finish(&mut take);
        Ok(normalizer.returns)
    }

    fn failed(&self, error: DecodeError) -> CorpusError {
        let path = self.path.clone();
        match error {
            DecodeError::Io(source) => CorpusError::Unreadable { path, source },
            DecodeError::Invalid { offset } => CorpusError::Malformed {
                path,
                encoding: self.encoding.name(),
                offset: offset + self.mark,
            },
        }
    }

    /// Whether it is read as UTF-8 although neither a setting nor a byte-order mark says so.
    pub fn is_assumed_utf8(&self) -> bool {
        self.format.encoding.is_none() && self.mark == 0 && self.encoding == UTF_8
    }

    /// Finds the encoding of a file that isn't UTF-8 at `offset`, and uses it. Only Windows-1252 is certain enough.
    ///
    /// # Errors
    /// If the file has another one, or none.
    pub fn detect(&mut self, offset: u64) -> Result<(), CorpusError> {
        let path = self.path.clone();
        let (mut detector, mut head) =
            (EncodingDetector::new(Iso2022JpDetection::Deny), Vec::new());
        let mut bytes = self.bytes()?;
        let mut chunk = vec![0; CHUNK];
        // Whether a valid character of several bytes stands before the first invalid byte, and what follows from there.
        let (mut before, mut total) = (false, 0);
        loop {
            let read =
                read_some(&mut bytes, &mut chunk).map_err(|source| unreadable(&path, source))?;
            let valid = &chunk[..read.min(offset.saturating_sub(total) as usize)];
            before |= !valid.is_ascii();
            head.extend_from_slice(&chunk[..read.min(HEAD.saturating_sub(head.len()))]);
            detector.feed(&chunk[..read], read == 0);
            total += read as u64;
            if read == 0 {
                break;
            }
        }
        // The last character of UTF-8 lacks bytes: three at most are there.
        let rest = total.saturating_sub(offset);
        if rest <= 3 && (before || rest > 1) {
            let mut end = Vec::new();
            let mut bytes = self.bytes()?;
            (bytes.seek(SeekFrom::Start(offset)).and_then(|_| bytes.read_to_end(&mut end)))
                .map_err(|source| unreadable(&path, source))?;
            if std::str::from_utf8(&end).is_err_and(|error| error.error_len().is_none()) {
                return Err(CorpusError::Cut { path, offset });
            }
        }
        if let Some(kind) = FileKind::of_bytes(&head) {
            return Err(CorpusError::NotText { path, kind });
        }
        let found = detector.guess(None, Utf8Detection::Deny);
        if found != WINDOWS_1252 {
            return Err(CorpusError::OtherEncoding { path, encoding: found.name(), offset });
        }
        self.encoding = found;
        Ok(())
    }
}

fn is_utf16(encoding: &'static Encoding) -> bool {
    [UTF_16LE, UTF_16BE].contains(&encoding)
}

fn unreadable(path: &Path, source: io::Error) -> CorpusError {
    match source.kind() {
        io::ErrorKind::NotFound => CorpusError::Missing(path.to_owned()),
        _ => CorpusError::Unreadable { path: path.to_owned(), source },
    }
}

#[cfg(unix)]
fn is_pipe(kind: FileType) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&kind)
}

#[cfg(not(unix))]
fn is_pipe(_kind: FileType) -> bool {
    false
}

/// Everything that comes through a pipe, in a temporary file.
fn spool(pipe: &mut dyn Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(pipe, &mut file)?;
    Ok(file)
}

/// [`decode_chunks`] of another encoding than UTF-8.
fn decode_other(
    mut bytes: impl Read,
    encoding: &'static Encoding,
    mut take: impl FnMut(&str) -> bool,
) -> Result<(), DecodeError> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let (mut chunk, mut text) = (vec![0; CHUNK], String::with_capacity(4 * CHUNK));
    let mut decoded = 0;
    loop {
        let read = read_some(&mut bytes, &mut chunk).map_err(DecodeError::Io)?;
        let mut rest = &chunk[..read];
        loop {
            let (result, taken) =
                decoder.decode_to_string_without_replacement(rest, &mut text, read == 0);
            decoded += taken as u64;
            rest = &rest[taken..];
            if let DecoderResult::Malformed(length, after) = result {
                let offset = decoded.saturating_sub(u64::from(length) + u64::from(after));
                return Err(DecodeError::Invalid { offset });
            }
            if !take(&text) {
                return Ok(());
            }
            text.clear();
            if result == DecoderResult::InputEmpty {
                break;
            }
        }
        if read == 0 {
            return Ok(());
        }
    }
}
