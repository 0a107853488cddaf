//! The file of `torch.save`: what was pickled, and the numbers of its tensors.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use burn::tensor::{bf16, f16};

use super::archive::Archive;
use super::pickle::{Element, Pickle, PickleError, Tensor, Value};
use super::{ImportError, NotPyTorch};

/// A file of `torch.save`, in memory.
pub struct Checkpoint {
    bytes: Vec<u8>,
    pub pickle: Pickle,
    /// Where each storage's bytes are.
    storages: Storages,
}

enum Storages {
    /// In entries of the archive, in this folder.
    Archive { folder: String },
    /// Behind the pickles: each with its name, its first byte and its number of elements.
    Behind(Vec<(String, usize, usize)>),
}

/// What a file of before torch 1.6 begins with, as an integer.
const OLD_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

impl Checkpoint {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, ImportError> {
        let bytes = content(path)?;
        Self::parse(bytes).map_err(|problem| match problem {
            Problem::Pickle(PickleError::Foreign(name)) => {
                ImportError::RunsCode { path: path.to_path_buf(), name }
            }
            Problem::Pickle(PickleError::Broken(problem)) | Problem::Broken(problem) => {
                let problem = NotPyTorch::Broken(problem);
                ImportError::NotPyTorch { path: path.to_path_buf(), problem }
            }
        })
    }

    fn parse(bytes: Vec<u8>) -> Result<Self, Problem> {
        if !bytes.starts_with(b"PK") {
            return Self::parse_old(bytes);
        }
        let archive = Archive::open(&bytes)?;
        let folder = archive.folder().ok_or("its archive has no `data.pkl`")?.to_owned();
        let pickle = archive.content(&format!("{folder}data.pkl"))?.unwrap_or_default();
        let pickle = Pickle::read(pickle)?.0;
        if let Some(order) = archive.content(&format!("{folder}byteorder"))?
            && order != b"little"
        {
            return Err(BIG_ENDIAN.into());
        }
        Ok(Self { storages: Storages::Archive { folder }, pickle, bytes })
    }

    /// Five pickles (a magic number, a version, the machine, the content, the storages' names), then the storages.
    fn parse_old(bytes: Vec<u8>) -> Result<Self, Problem> {
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
        let (_version, machine, pickle, names) = (next()?, next()?, next()?, next()?);
        if let Some(little) = machine.get(machine.root, "little_endian")
            && *machine.value(little) == Value::Bool(false)
        {
            return Err(BIG_ENDIAN.into());
        }
        let Value::List(names_of) = names.value(names.root) else { return Err(CUT.into()) };
        let mut storages = Vec::new();
        for &name in names_of {
            let name = names.text(name).ok_or(CUT)?;
            // A name that no tensor uses says nothing about how long its storage is.
            let element = pickle.element(name).ok_or("it has a storage that nothing uses")?;
            let count = bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or(CUT)?;
            let count = usize::try_from(u64::from_le_bytes(*count)).map_err(|_| CUT)?;
            let len = count.checked_mul(element.size()).ok_or(CUT)?;
            let start = at + 8;
            at = start.checked_add(len).filter(|&end| end <= bytes.len()).ok_or(CUT)?;
            storages.push((name.to_owned(), start, count));
        }
        Ok(Self { storages: Storages::Behind(storages), pickle, bytes })
    }

    /// The numbers of a tensor, row by row.
    ///
    /// # Errors
    /// If its storage is missing or too short, or holds no floating-point numbers.
    pub fn numbers(&self, tensor: &Tensor) -> Result<Vec<f32>, &'static str> {
        let Tensor { storage, offset, shape, strides } = tensor;
        let bytes = match &self.storages {
            Storages::Archive { folder } => {
                Archive::open(&self.bytes)?.content(&format!("{folder}data/{}", storage.key))?
            }
            Storages::Behind(storages) => {
                let found = storages.iter().find(|(name, ..)| *name == storage.key);
                found.and_then(|&(_, start, len)| {
                    self.bytes.get(start..start + len * storage.element.size())
                })
            }
        };
        let bytes = bytes.ok_or("has no numbers in the file")?;
        let size = storage.element.size();
        let have = bytes.len() / size;
        // A view that repeats its numbers could be of any size; parameters don't.
        let count = shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
        let count = count.filter(|&count| count <= have).ok_or("has more numbers than the file")?;

        let mut numbers = Vec::with_capacity(count);
        let mut index = vec![0; shape.len()];
        for _ in 0..count {
            let steps = index.iter().zip(strides).try_fold(*offset, |at, (&index, &stride)| {
                at.checked_add(usize::checked_mul(index, stride)?)
            });
            let at = steps.filter(|&at| at < have).ok_or("has more numbers than the file")?;
            numbers.push(number(storage.element, &bytes[at * size..][..size])?);
            for axis in (0..shape.len()).rev() {
                index[axis] += 1;
                if index[axis] < shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        Ok(numbers)
    }
}

fn number(element: Element, bytes: &[u8]) -> Result<f32, &'static str> {
    Ok(match (element, bytes) {
        (Element::F16, &[a, b]) => f16::from_le_bytes([a, b]).to_f32(),
        (Element::Bf16, &[a, b]) => bf16::from_le_bytes([a, b]).to_f32(),
        (Element::F32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]),
        (Element::F64, &[a, b, c, d, e, f, g, h]) => {
            f64::from_le_bytes([a, b, c, d, e, f, g, h]) as f32
        }
        _ => return Err("holds whole numbers, not weights"),
    })
}

const BIG_ENDIAN: &str = "it was written on a big-endian machine";
const CUT: &str = "it ends too early";

enum Problem {
    Pickle(PickleError),
    Broken(&'static str),
}

impl From<PickleError> for Problem {
    fn from(error: PickleError) -> Self {
        Self::Pickle(error)
    }
}

impl From<&'static str> for Problem {
    fn from(problem: &'static str) -> Self {
        Self::Broken(problem)
    }
}

/// The file's bytes, if it begins as those of `torch.save` do.
fn content(path: &Path) -> Result<Vec<u8>, ImportError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => ImportError::Missing { path: path.to_path_buf() },
        _ => ImportError::Unreadable { path: path.to_path_buf(), source },
    };
    let mut file = File::open(path).map_err(failed)?;
    let mut bytes = vec![0; 2];
    let begins = match file.read_exact(&mut bytes) {
        Ok(()) => bytes == *b"PK" || (bytes[0] == 0x80 && (2..=5).contains(&bytes[1])),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
        Err(error) => return Err(failed(error)),
    };
    if !begins {
        let problem = NotPyTorch::Foreign;
        return Err(ImportError::NotPyTorch { path: path.to_path_buf(), problem });
    }
    file.read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::pickle::Storage;
    use super::*;

    /// A file whose only storage has the numbers 0 to 5.
    fn six() -> Checkpoint {
        let bytes = (0..6u8).flat_map(|number| f32::from(number).to_le_bytes()).collect();
        let (pickle, _) = Pickle::read(b"N.").unwrap_or_else(|error| panic!("{error:?}"));
        Checkpoint { bytes, pickle, storages: Storages::Behind(vec![("a".into(), 0, 6)]) }
    }

    fn view(offset: usize, shape: &[usize], strides: &[usize]) -> Tensor {
        let storage = Storage { key: "a".into(), element: Element::F32, len: 6 };
        Tensor { storage, offset, shape: shape.to_vec(), strides: strides.to_vec() }
    }

    #[test]
    fn a_view_is_read_row_by_row_whatever_its_strides() {
        let read = |tensor: &Tensor| six().numbers(tensor);
        assert_eq!(read(&view(0, &[2, 3], &[3, 1])), Ok(vec![0., 1., 2., 3., 4., 5.]));
        assert_eq!(read(&view(0, &[3, 2], &[1, 3])), Ok(vec![0., 3., 1., 4., 2., 5.]));
        assert_eq!(read(&view(4, &[2], &[1])), Ok(vec![4., 5.]));
        assert_eq!(read(&view(5, &[], &[])), Ok(vec![5.]));
    }

    #[test]
    fn a_view_of_more_than_there_is_is_an_error_and_takes_no_memory() {
        for tensor in [
            view(4, &[3], &[1]),
            view(0, &[2], &[6]),
            view(usize::MAX, &[2], &[1]),
            view(0, &[2], &[usize::MAX]),
            view(0, &[1 << 40, 1 << 40], &[0, 0]),
            view(0, &[1 << 40], &[0]),
        ] {
            assert_eq!(six().numbers(&tensor), Err("has more numbers than the file"));
        }
        let mut elsewhere = view(0, &[1], &[1]);
        elsewhere.storage.key = "b".into();
        assert_eq!(six().numbers(&elsewhere), Err("has no numbers in the file"));
    }

    #[test]
    fn numbers_of_every_precision_become_single() {
        assert_eq!(number(Element::F16, &[0x00, 0xbe]), Ok(-1.5));
        assert_eq!(number(Element::Bf16, &[0xc0, 0xbf]), Ok(-1.5));
        assert_eq!(number(Element::F32, &(-1.5f32).to_le_bytes()), Ok(-1.5));
        assert_eq!(number(Element::F64, &(-1.5f64).to_le_bytes()), Ok(-1.5));
        assert!(number(Element::Whole(8), &[0; 8]).is_err());
    }
}
