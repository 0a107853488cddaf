//! The numbers of tensors: parts of a file in memory, of which tensors are views.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::ops::Range;

use burn::tensor::{bf16, f16};

use super::archive::Archive;
use super::pickle::{Element, Storage, Tensor};
use crate::strides::is_contiguous;

/// The storages of a file, in memory.
pub enum Storages {
    /// Entries of an archive.
    Archive(Archive),
    /// Parts of a file, by their keys.
    File { bytes: Vec<u8>, ranges: HashMap<String, Range<usize>> },
}

impl Storages {
    /// Size of a storage in bytes, if the file has it.
    fn size(&self, key: &str) -> io::Result<Option<u64>> {
        match self {
            Self::Archive(archive) => archive.size(&format!("data/{key}")),
            Self::File { ranges, .. } => Ok(ranges.get(key).map(|range| range.len() as u64)),
        }
    }

    /// Length of the file in bytes.
    pub fn file_len(&self) -> usize {
        match self {
            Self::Archive(archive) => archive.file_len(),
            Self::File { bytes, .. } => bytes.len(),
        }
    }

    /// Memory in bytes that reading the storage takes beside that of the file.
    pub fn inflated_size(&self, key: &str) -> u64 {
        match self {
            Self::Archive(archive) => archive.inflated_size(&format!("data/{key}")),
            Self::File { .. } => 0,
        }
    }

    /// The bytes of a storage.
    ///
    /// # Errors
    /// If the file hasn't got it, or its checksum is wrong.
    pub fn read(&self, key: &str) -> Result<Cow<'_, [u8]>, TensorError> {
        let bytes = match self {
            Self::Archive(archive) => archive.read(&format!("data/{key}"))?,
            Self::File { bytes, ranges } => {
                ranges.get(key).map(|range| Cow::Borrowed(&bytes[range.clone()]))
            }
        };
        bytes.ok_or_else(|| "has no values in the file".into())
    }

    /// Checks a tensor's shape, strides and offset in the file's description against the size of its storage; returns the
    /// number of elements.
    ///
    /// # Errors
    /// If its storage is missing or too small, or holds no floating-point numbers.
    pub fn check(&self, tensor: &Tensor) -> Result<usize, TensorError> {
        let Tensor { storage, offset, shape, strides } = tensor;
        let size = self.size(&storage.key)?.ok_or("has no values in the file")?;
        match storage.element {
            Element::Integer(_) => return Err("holds integers, not weights".into()),
            Element::Quantized(_) => return Err(QUANTIZED.into()),
            Element::Bytes => return Err("holds numbers of a type that isn't known here".into()),
            Element::F16 | Element::Bf16 | Element::F32 | Element::F64 => {}
        }
        let len = usize::try_from(size).unwrap_or(usize::MAX) / storage.element.size();
        let count = shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
        let last = shape.iter().zip(strides).try_fold(*offset, |last, (&size, &stride)| {
            last.checked_add(size.saturating_sub(1).checked_mul(stride)?)
        });
        // A view that repeats its values could be of any size; parameters don't.
        match (count, last) {
            (Some(0), _) => Ok(0),
            (Some(count), Some(last)) if count <= len && last < len => Ok(count),
            _ => Err(TOO_SMALL.into()),
        }
    }
}

const TOO_SMALL: &str = "has more values than its storage in the file";

/// What is said of a tensor of quantized numbers.
pub const QUANTIZED: &str = "holds quantized numbers, which charloom doesn't compute with";

/// The values of a tensor in row-major order, given the bytes of its storage.
///
/// # Errors
/// If the storage is too small, or a value is infinite or NaN.
pub fn values(tensor: &Tensor, bytes: &[u8]) -> Result<Vec<f32>, TensorError> {
    let Tensor { storage, offset, shape, strides } = tensor;
    let Storage { element, .. } = **storage;
    let count = shape.iter().product::<usize>();
    let size = element.size();
    let gathered;
    let bytes = if is_contiguous(shape, strides) {
        let range = if count == 0 { 0..0 } else { offset * size..(offset + count) * size };
        bytes.get(range).ok_or(TOO_SMALL)?
    } else {
        gathered = strided(bytes, size, *offset, shape, strides)?;
        &gathered
    };
    let values = numbers(element, bytes)?;
    match values.iter().find(|value| !value.is_finite()) {
        Some(_) => Err("has values that are infinite or not a number".into()),
        None => Ok(values),
    }
}

/// The bytes of a view's elements, each of `size` bytes, in row-major order.
fn strided(
    bytes: &[u8],
    size: usize,
    offset: usize,
    shape: &[usize],
    strides: &[usize],
) -> Result<Vec<u8>, TensorError> {
    let count = shape.iter().product::<usize>();
    let mut values = Vec::with_capacity(count * size);
    let mut index = vec![0; shape.len()];
    for _ in 0..count {
        let at = index.iter().zip(strides).map(|(i, stride)| i * stride).sum::<usize>();
        let at = (offset + at) * size;
        values.extend(bytes.get(at..at + size).ok_or(TOO_SMALL)?);
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

/// Numbers of any precision in single precision. Bytes that make no whole number are left out.
fn numbers(element: Element, bytes: &[u8]) -> Result<Vec<f32>, TensorError> {
    Ok(match element {
        Element::F16 => each(bytes, |bytes| f16::from_le_bytes(bytes).to_f32()),
        Element::Bf16 => each(bytes, |bytes| bf16::from_le_bytes(bytes).to_f32()),
        Element::F32 => each(bytes, f32::from_le_bytes),
        Element::F64 => each(bytes, |bytes| f64::from_le_bytes(bytes) as f32),
        _ => return Err("holds no floating-point numbers".into()),
    })
}

fn each<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|&bytes| number(bytes)).collect()
}

/// Why the values of a tensor can't be read.
#[derive(Debug)]
pub enum TensorError {
    /// The file's description of the tensor is inconsistent, or the values are no weights.
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

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    /// The numbers 0 to 5.
    fn six() -> Vec<u8> {
        (0..6u8).flat_map(|number| f32::from(number).to_le_bytes()).collect()
    }

    fn view(key: &str, offset: usize, shape: &[usize], strides: &[usize]) -> Tensor {
        let storage = Rc::new(Storage { key: key.into(), element: Element::F32 });
        Tensor { storage, offset, shape: shape.to_vec(), strides: strides.to_vec() }
    }

    #[test]
    fn a_view_is_read_row_by_row_whatever_its_strides() {
        let read = |offset, shape: &[usize], strides: &[usize]| {
            values(&view("a", offset, shape, strides), &six()).unwrap()
        };
        assert_eq!(read(0, &[2, 3], &[3, 1]), [0., 1., 2., 3., 4., 5.]);
        assert_eq!(read(0, &[3, 2], &[1, 3]), [0., 3., 1., 4., 2., 5.]);
        assert_eq!(read(1, &[2, 2], &[2, 1]), [1., 2., 3., 4.]);
        assert_eq!(read(1, &[2, 1, 2], &[2, 77, 1]), [1., 2., 3., 4.]);
        assert_eq!(read(4, &[2], &[1]), [4., 5.]);
        assert_eq!(read(5, &[], &[]), [5.]);
        assert_eq!(read(9, &[0, 2], &[2, 1]), [0.; 0]);
    }

    #[test]
    fn a_view_of_more_than_there_is_is_an_error() {
        let ranges = HashMap::from([("a".to_owned(), 0..24)]);
        let storages = Storages::File { bytes: six(), ranges };
        let refused = |tensor: &Tensor| match storages.check(tensor) {
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
        let number = |element, bytes: &[u8]| numbers(element, bytes).ok();
        assert_eq!(number(Element::F16, &[0x00, 0xbe]), Some(vec![-1.5]));
        assert_eq!(number(Element::Bf16, &[0xc0, 0xbf]), Some(vec![-1.5]));
        assert_eq!(number(Element::F32, &(-1.5f32).to_le_bytes()), Some(vec![-1.5]));
        assert_eq!(number(Element::F64, &(-1.5f64).to_le_bytes()), Some(vec![-1.5]));
        assert_eq!(number(Element::Integer(8), &[0; 8]), None);
    }

    #[test]
    fn values_that_are_not_finite_are_refused() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let bytes = [1.0f32.to_le_bytes(), value.to_le_bytes()].concat();
            let error = values(&view("a", 0, &[2], &[1]), &bytes).unwrap_err();
            assert!(matches!(error, TensorError::Invalid(problem) if problem.contains("infinite")));
        }
    }
}
