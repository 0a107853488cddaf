//! Writing a safetensors file of single-precision tensors.

use std::collections::BTreeMap;
use std::io::{self, Write};

use burn::tensor::TensorData;
use serde_json::{Map, Value, json};

/// Writes the metadata and the tensors, both in the order of their names, so that the same model is always the same bytes.
///
/// # Errors
/// If writing fails.
pub fn write(
    out: &mut impl Write,
    metadata: &BTreeMap<&str, String>,
    mut tensors: Vec<(String, TensorData)>,
) -> io::Result<()> {
    tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut header = Map::from_iter([("__metadata__".to_owned(), json!(metadata))]);
    let mut end = 0;
    for (name, data) in &tensors {
        let start = end;
        end += size_of::<f32>() * data.num_elements();
        let shape = data.shape().to_vec();
        let info = json!({"dtype": "F32", "shape": shape, "data_offsets": [start, end]});
        header.insert(name.clone(), info);
    }
    let mut header = Value::Object(header).to_string();
    // The tensors begin at a multiple of eight bytes.
    let len = header.len().next_multiple_of(8);
    header.extend(std::iter::repeat_n(' ', len - header.len()));
    out.write_all(&(len as u64).to_le_bytes())?;
    out.write_all(header.as_bytes())?;
    tensors.into_iter().try_for_each(|(_, data)| write_values(out, &data))
}

/// Writes numbers in row-major order, little-endian.
pub fn write_values(out: &mut impl Write, data: &TensorData) -> io::Result<()> {
    const AT_ONCE: usize = 16 << 10;
    let mut bytes = Vec::with_capacity(size_of::<f32>() * AT_ONCE);
    let mut values = data.iter::<f32>().peekable();
    while values.peek().is_some() {
        bytes.clear();
        bytes.extend(values.by_ref().take(AT_ONCE).flat_map(f32::to_le_bytes));
        out.write_all(&bytes)?;
    }
    Ok(())
}
