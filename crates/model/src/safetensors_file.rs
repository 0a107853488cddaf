//! Reading a safetensors file tensor by tensor: first the header, then the values of the tensors it lists.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use safetensors::SafeTensorError;
use safetensors::tensor::{Metadata, TensorInfo};

/// Why a file can't be read as safetensors.
#[derive(Debug)]
pub enum ReadError {
    /// The operating system's error.
    Io(io::Error),
    /// The file is truncated or not a safetensors file.
    Format(SafeTensorError),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A file whose header has been read and checked: unless the file is a pipe, its length is what the header implies.
pub struct SafetensorsFile {
    rest: File,
    header: Metadata,
}

impl SafetensorsFile {
    /// Reads the header.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let len = metadata.is_file().then_some(metadata.len());
        let (_, header) = read_header(&mut file, len)?;
        Ok(Self { rest: file, header })
    }

    /// The value of a key in the file's metadata.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.header.metadata().as_ref()?.get(key).map(String::as_str)
    }

    /// Name, type and shape of every tensor, in the order of their values in the file.
    pub fn tensors(&self) -> impl Iterator<Item = (String, &TensorInfo)> {
        let names = self.header.offset_keys().into_iter();
        names.filter_map(|name| self.header.info(&name).map(|info| (name, info)))
    }

    /// Reads the bytes of all tensors, with their names.
    pub fn read(mut self) -> Result<Vec<(String, Vec<u8>)>, ReadError> {
        let mut tensors = Vec::new();
        for name in self.header.offset_keys() {
            let Some(info) = self.header.info(&name) else { continue };
            let (start, end) = info.data_offsets;
            let bytes = read_up_to(&mut self.rest, (end - start) as u64)?;
            if bytes.len() != end - start {
                return Err(ReadError::Format(SafeTensorError::MetadataIncompleteBuffer));
            }
            tensors.push((name, bytes));
        }
        Ok(tensors)
    }
}

/// Length of the number before the header, which is the header's length.
const PREFIX: u64 = 8;
/// Largest header that is read. The format allows ten times as much, but what is made of a header takes several times its
/// size, and that of a network with a vocabulary of all Unicode is smaller.
const MAX_HEADER: u64 = 10_000_000;

/// Reads the header of a file of `len` bytes, if that is known, and checks it against the length. The first result is the position of the first value.
pub fn read_header(file: &mut impl Read, len: Option<u64>) -> Result<(u64, Metadata), ReadError> {
    use SafeTensorError::{
        HeaderTooLarge, HeaderTooSmall, InvalidHeader, InvalidHeaderDeserialization,
        InvalidHeaderLength,
    };
    let format = ReadError::Format;
    let prefix = read_up_to(file, PREFIX)?;
    let prefix = prefix.as_slice().try_into().map_err(|_| format(HeaderTooSmall))?;
    let header_len = u64::from_le_bytes(prefix);
    if header_len > MAX_HEADER {
        return Err(format(HeaderTooLarge));
    }
    let end = PREFIX + header_len;
    if len.is_some_and(|len| end > len) {
        return Err(format(InvalidHeaderLength));
    }
    let header = read_up_to(file, header_len)?;
    if header.len() as u64 != header_len {
        return Err(format(InvalidHeaderLength));
    }
    let header = std::str::from_utf8(&header).map_err(|error| format(InvalidHeader(error)))?;
    let header: Metadata = serde_json::from_str(header)
        .map_err(|error| format(InvalidHeaderDeserialization(error)))?;
    let expected = end.checked_add(header.data_len() as u64);
    if len.is_some_and(|len| expected != Some(len)) {
        return Err(format(SafeTensorError::MetadataIncompleteBuffer));
    }
    Ok((end, header))
}

/// The next `len` bytes, or those that are left. Memory grows with the bytes that arrive, since a pipe may claim any size.
fn read_up_to(file: &mut impl Read, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(len).read_to_end(&mut bytes)?;
    Ok(bytes)
}
