//! A `state_dict` as `torch.save` writes it: a ZIP archive of a pickle, which describes the tensors, and of their values.

use std::io::{self, Write};

use burn::tensor::TensorData;
use rawzip::ZipArchiveWriter;

use super::add_file;
use crate::safetensors_writer::write_values;
use crate::strides::row_major;

/// Writes the file. Each tensor has a storage of its own.
pub fn write(out: &mut impl Write, tensors: Vec<(String, TensorData)>) -> io::Result<()> {
    let mut zip = ZipArchiveWriter::new(out);
    let pickle = pickle(&tensors);
    add_file(&mut zip, "archive/data.pkl", |out| out.write_all(&pickle))?;
    add_file(&mut zip, "archive/byteorder", |out| out.write_all(b"little"))?;
    for (index, (_, data)) in tensors.into_iter().enumerate() {
        add_file(&mut zip, &format!("archive/data/{index}"), |mut out| {
            write_values(&mut out, &data)
        })?;
    }
    add_file(&mut zip, "archive/version", |out| out.write_all(b"3\n"))?;
    zip.finish().map_err(io::Error::other)?;
    Ok(())
}

/// The pickle of an `OrderedDict` from names to tensors, in protocol 2.
fn pickle(tensors: &[(String, TensorData)]) -> Vec<u8> {
    let mut pickle = b"\x80\x02ccollections\nOrderedDict\n)R(".to_vec();
    for (index, (name, data)) in tensors.iter().enumerate() {
        let shape = data.shape().to_vec();
        let strides = row_major(&shape);
        text(&mut pickle, name);
        pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n(");
        // The persistent id of the storage: kind, type, key, device, number of elements.
        pickle.push(b'(');
        text(&mut pickle, "storage");
        pickle.extend(b"ctorch\nFloatStorage\n");
        text(&mut pickle, &index.to_string());
        text(&mut pickle, "cpu");
        int(&mut pickle, data.num_elements());
        pickle.extend(b"tQ");
        // Offset, sizes, strides, whether a gradient is needed, hooks.
        int(&mut pickle, 0);
        for sizes in [&shape, &strides] {
            pickle.push(b'(');
            sizes.iter().for_each(|&size| int(&mut pickle, size));
            pickle.push(b't');
        }
        pickle.extend(b"\x89ccollections\nOrderedDict\n)RtR");
    }
    pickle.extend(b"u.");
    pickle
}

/// BINUNICODE.
fn text(pickle: &mut Vec<u8>, text: &str) {
    pickle.push(b'X');
    pickle.extend((text.len() as u32).to_le_bytes());
    pickle.extend(text.as_bytes());
}

/// LONG1, of eight bytes: no size is so large that it would be the sign of a negative number.
fn int(pickle: &mut Vec<u8>, number: usize) {
    pickle.extend([0x8a, 8]);
    pickle.extend((number as u64).to_le_bytes());
}
