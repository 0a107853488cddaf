//! NumPy's archive of arrays, `.npz`: a ZIP archive of a `.npy` file for each tensor. The format is that of
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use std::io::{self, Write};

use burn::tensor::TensorData;
use rawzip::ZipArchiveWriter;

use super::add_file;
use crate::safetensors_writer::write_values;

/// Writes the file.
pub fn write(out: &mut impl Write, tensors: Vec<(String, TensorData)>) -> io::Result<()> {
    let mut zip = ZipArchiveWriter::new(out);
    for (name, data) in tensors {
        add_file(&mut zip, &format!("{name}.npy"), |mut out| {
            out.write_all(&header(&data.shape().to_vec()))?;
            write_values(&mut out, &data)
        })?;
    }
    zip.finish().map_err(io::Error::other)?;
    Ok(())
}

/// The header of an array of this shape, version 1.0. Its length is a multiple of 64.
fn header(shape: &[usize]) -> Vec<u8> {
    let sizes: String = shape.iter().map(|size| format!("{size}, ")).collect();
    let mut description =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", sizes.trim_end());
    const BEFORE: usize = 10;
    let len = (BEFORE + description.len() + 1).next_multiple_of(64) - BEFORE;
    description.extend(std::iter::repeat_n(' ', len - description.len() - 1));
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend((len as u16).to_le_bytes());
    header.extend(description.as_bytes());
    header.push(b'\n');
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_the_shape_as_python_writes_tuples() {
        for (shape, tuple) in [(&[7][..], "(7,)"), (&[20, 5], "(20, 5,)"), (&[], "()")] {
            let header = header(shape);
            assert_eq!(header.len() % 64, 0);
            assert_eq!(usize::from(header[8]) + 10, header.len());
            let text = String::from_utf8_lossy(&header[10..]).into_owned();
            assert!(text.contains(&format!("'shape': {tuple}, }}")), "{text}");
            assert!(text.ends_with(" \n"), "{text:?}");
        }
    }
}
