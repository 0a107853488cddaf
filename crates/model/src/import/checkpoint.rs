//! A file of `torch.save`: what was pickled, and the values of its tensors.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::Path;

use burn::tensor::{bf16, f16};

use super::archive::Archive;
use super::pickle::{Element, Pickle, PickleError, Tensor, Value};
use super::{ImportError, NotPyTorch};

/// A file of `torch.save`, in memory.
pub struct Checkpoint {
    pub pickle: Pickle,
    storages: Storages,
}

enum Storages {
    /// Entries of an archive.
    Archive(Archive),
    /// Parts of a file, by their keys.
    File { bytes: Vec<u8>, ranges: HashMap<String, Range<usize>> },
}

/// What a file of torch before 1.6 begins with, as an integer.
const OLD_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

impl Checkpoint {
    /// Reads a file but for the values of its tensors.
    pub fn read(path: &Path) -> Result<Self, ImportError> {
        let refused = |source| ImportError::NotPyTorch { path: path.to_path_buf(), source };
        let bytes = std::fs::read(path)
            .map_err(|source| ImportError::Unreadable { path: path.to_path_buf(), source })?;
        let read = match bytes.starts_with(b"PK") {
            true => Self::from_archive(bytes),
            false => Self::from_old_file(bytes),
        };
        read.map_err(|problem| match problem {
            Problem::Pickle(PickleError::Foreign(name)) => {
                ImportError::RunsCode { path: path.to_path_buf(), name }
            }
            Problem::Pickle(PickleError::Broken(problem)) => refused(NotPyTorch::Broken(problem)),
            Problem::File(problem) => refused(problem),
        })
    }

    fn from_archive(bytes: Vec<u8>) -> Result<Self, Problem> {
        let archive = Archive::open(bytes)?;
        let read = |name| archive.read(name).map_err(NotPyTorch::Archive);
        let pickle = read("data.pkl")?.unwrap_or_default();
        let (pickle, _) = Pickle::read(&pickle)?;
        if read("byteorder")?.is_some_and(|order| *order != *b"little") {
            return Err(BIG_ENDIAN.into());
        }
        Ok(Self { pickle, storages: Storages::Archive(archive) })
    }

    /// Reads five pickles (a magic number, a version, the machine, the content, the storages' keys), which the storages
    /// follow.
    fn from_old_file(bytes: Vec<u8>) -> Result<Self, Problem> {
        let mut at = 0;
        let mut next = || {
            let (pickle, len) = Pickle::read(&bytes[at..])?;
            at += len;
            Ok::<_, Problem>(pickle)
        };
        let magic = next()?;
        if *magic.value(magic.root) != Value::Long(OLD_MAGIC.to_vec()) {
            return Err("it is a pickle, but not one of `torch.save`".into());
        }
        let (_version, machine, pickle, keys) = (next()?, next()?, next()?, next()?);
        if let Some(little) = machine.get(machine.root, "little_endian")
            && *machine.value(little) == Value::Bool(false)
        {
            return Err(BIG_ENDIAN.into());
        }
        let Value::List(key_ids) = keys.value(keys.root) else { return Err(TRUNCATED.into()) };
        let elements = pickle.elements();
        let mut ranges = HashMap::new();
        for &key in key_ids {
            let key = keys.text(key).ok_or(TRUNCATED)?;
            // Without a tensor that uses it, the length of a storage isn't known.
            let element = elements.get(key).ok_or("it has a storage that nothing uses")?;
            let count = bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or(TRUNCATED)?;
            let count = usize::try_from(u64::from_le_bytes(*count)).map_err(|_| TRUNCATED)?;
            let len = count.checked_mul(element.size()).ok_or(TRUNCATED)?;
            let start = at + 8;
            at = start.checked_add(len).filter(|&end| end <= bytes.len()).ok_or(TRUNCATED)?;
            ranges.insert(key.to_owned(), start..at);
        }
        Ok(Self { pickle, storages: Storages::File { bytes, ranges } })
    }

    /// Size of a storage in bytes, if the file has it.
    fn storage_size(&self, key: &str) -> io::Result<Option<u64>> {
        match &self.storages {
            Storages::Archive(archive) => archive.size(&format!("data/{key}")),
            Storages::File { ranges, .. } => Ok(ranges.get(key).map(|range| range.len() as u64)),
        }
    }

    /// Most bytes that all tensors together can have: some may share a storage, and a storage may be compressed.
    pub fn capacity(&self) -> u64 {
        match &self.storages {
            Storages::Archive(archive) => archive.capacity(),
            Storages::File { bytes, .. } => 2 * bytes.len() as u64,
        }
    }

    /// Checks a tensor's shape, strides and offset in the pickle against the size of its storage; returns the number of
    /// elements.
    ///
    /// # Errors
    /// If its storage is missing or too small, or holds no floating-point numbers.
    pub fn check(&self, tensor: &Tensor) -> Result<usize, TensorError> {
        let Tensor { storage, offset, shape, strides } = tensor;
        if matches!(storage.element, Element::Integer(_)) {
            return Err("holds integers, not weights".into());
        }
        let size = self.storage_size(&storage.key)?.ok_or("has no values in the file")?;
        let len = usize::try_from(size).unwrap_or(usize::MAX) / storage.element.size();
        let count = shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
        let last = shape.iter().zip(strides).try_fold(*offset, |last, (&size, &stride)| {
            last.checked_add(size.saturating_sub(1).checked_mul(stride)?)
        });
        // A view that repeats its values could be of any size; parameters don't.
        match (count, last) {
            (Some(0), _) => Ok(0),
            (Some(count), Some(last)) if count <= len && last < len => Ok(count),
            _ => Err("has more values than its storage in the file".into()),
        }
    }

    /// The values of a tensor in row-major order.
    ///
    /// # Errors
    /// If [`check`](Self::check) refuses the tensor, or the file can't be read.
    pub fn values(&self, tensor: &Tensor) -> Result<Vec<f32>, TensorError> {
        let count = self.check(tensor)?;
        let Tensor { storage, offset, shape, strides } = tensor;
        let bytes = match &self.storages {
            Storages::Archive(archive) => {
                archive.read(&format!("data/{}", storage.key))?.unwrap_or_default()
            }
            Storages::File { bytes, ranges } => {
                Cow::Borrowed(&bytes[ranges[&*storage.key].clone()])
            }
        };
        let size = storage.element.size();
        let mut values = Vec::with_capacity(count);
        let mut index = vec![0; shape.len()];
        for _ in 0..count {
            let at =
                offset + index.iter().zip(strides).map(|(i, stride)| i * stride).sum::<usize>();
            values.push(number(storage.element, &bytes[at * size..][..size])?);
            for axis in (0..shape.len()).rev() {
                index[axis] += 1;
                if index[axis] < shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        Ok(values)
    }
}

/// Why the values of a tensor can't be read.
#[derive(Debug)]
pub enum TensorError {
    /// The file's description of the tensor is inconsistent.
    Invalid(&'static str),
    /// The file can't be read.
    Io(io::Error),
}

impl From<&'static str> for TensorError {
    fn from(problem: &'static str) -> Self {
        Self::Invalid(problem)
    }
}

impl From<io::Error> for TensorError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A number of any precision in single precision.
pub fn number(element: Element, bytes: &[u8]) -> Result<f32, &'static str> {
    Ok(match (element, bytes) {
        (Element::F16, &[a, b]) => f16::from_le_bytes([a, b]).to_f32(),
        (Element::Bf16, &[a, b]) => bf16::from_le_bytes([a, b]).to_f32(),
        (Element::F32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]),
        (Element::F64, &[a, b, c, d, e, f, g, h]) => {
            f64::from_le_bytes([a, b, c, d, e, f, g, h]) as f32
        }
        _ => return Err("holds integers, not weights"),
    })
}

const BIG_ENDIAN: &str = "it was written on a big-endian machine";
const TRUNCATED: &str = "it is truncated";

enum Problem {
    Pickle(PickleError),
    File(NotPyTorch),
}

impl From<PickleError> for Problem {
    fn from(error: PickleError) -> Self {
        Self::Pickle(error)
    }
}

impl From<NotPyTorch> for Problem {
    fn from(error: NotPyTorch) -> Self {
        Self::File(error)
    }
}

impl From<&'static str> for Problem {
    fn from(problem: &'static str) -> Self {
        Self::File(NotPyTorch::Broken(problem))
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::super::pickle::Storage;
    use super::*;

    /// A file whose only storage has the numbers 0 to 5.
    fn six() -> Checkpoint {
        let bytes = (0..6u8).flat_map(|number| f32::from(number).to_le_bytes()).collect();
        let (pickle, _) = Pickle::read(b"N.").unwrap_or_else(|error| panic!("{error:?}"));
        let ranges = HashMap::from([("a".to_owned(), 0..24)]);
        Checkpoint { pickle, storages: Storages::File { bytes, ranges } }
    }

    fn view(key: &str, offset: usize, shape: &[usize], strides: &[usize]) -> Tensor {
        let storage = Rc::new(Storage { key: key.into(), element: Element::F32, len: 6 });
        Tensor { storage, offset, shape: shape.to_vec(), strides: strides.to_vec() }
    }

    #[test]
    fn a_view_is_read_row_by_row_whatever_its_strides() {
        let read = |offset, shape: &[usize], strides: &[usize]| {
            six().values(&view("a", offset, shape, strides)).unwrap()
        };
        assert_eq!(read(0, &[2, 3], &[3, 1]), [0., 1., 2., 3., 4., 5.]);
        assert_eq!(read(0, &[3, 2], &[1, 3]), [0., 3., 1., 4., 2., 5.]);
        assert_eq!(read(4, &[2], &[1]), [4., 5.]);
        assert_eq!(read(5, &[], &[]), [5.]);
        assert_eq!(read(9, &[0, 2], &[2, 1]), [0.; 0]);
    }

    #[test]
    fn a_view_of_more_than_there_is_is_an_error_and_takes_no_memory() {
        let refused = |tensor: &Tensor| match six().values(tensor) {
            Err(TensorError::Invalid(problem)) => problem,
            other => panic!("{other:?}"),
        };
        for (offset, shape, strides) in [
            (4, &[3][..], &[1][..]),
            (0, &[2], &[6]),
            (usize::MAX, &[2], &[1]),
            (0, &[2], &[usize::MAX]),
            (0, &[1 << 40, 1 << 40], &[0, 0]),
            (0, &[1 << 40], &[0]),
        ] {
            let tensor = view("a", offset, shape, strides);
            assert_eq!(refused(&tensor), "has more values than its storage in the file");
        }
        assert_eq!(refused(&view("b", 0, &[1], &[1])), "has no values in the file");
    }

    #[test]
    fn numbers_of_every_precision_become_single() {
        assert_eq!(number(Element::F16, &[0x00, 0xbe]), Ok(-1.5));
        assert_eq!(number(Element::Bf16, &[0xc0, 0xbf]), Ok(-1.5));
        assert_eq!(number(Element::F32, &(-1.5f32).to_le_bytes()), Ok(-1.5));
        assert_eq!(number(Element::F64, &(-1.5f64).to_le_bytes()), Ok(-1.5));
        assert!(number(Element::Integer(8), &[0; 8]).is_err());
    }
}
