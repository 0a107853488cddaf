//! Export of a model's weights for other programs.

mod npz;
mod pytorch;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use burn::tensor::TensorData;
use rawzip::{ZipArchiveWriter, ZipDataWriterConfig};

use crate::file::write_file;
use crate::{Bias, ModelFileError, TrainedModel, safetensors_writer};

/// A format of files that hold weights alone, under the names that they have in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// A `state_dict` as `torch.save` writes it: `torch.load(weights_only=True)` opens it.
    PyTorch,
    /// A safetensors file without charloom's metadata.
    Safetensors,
    /// NumPy's archive of arrays: `numpy.load` opens it.
    Npz,
}

impl ExportFormat {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::PyTorch, Self::Safetensors, Self::Npz];

    /// The name that the command line has for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::PyTorch => "pytorch",
            Self::Safetensors => "safetensors",
            Self::Npz => "npz",
        }
    }
}

impl TrainedModel {
    /// Writes the weights in another format. The file is replaced as a whole, or left as it is.
    ///
    /// The tensors are those of `torch.nn`'s layers: a network with one bias in each layer gets zeros as the other one.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn export(&self, format: ExportFormat, path: &Path) -> Result<(), ModelFileError> {
        let tensors = self.state_dict();
        write_file(path, |mut out| match format {
            ExportFormat::PyTorch => pytorch::write(&mut out, tensors),
            ExportFormat::Npz => npz::write(&mut out, tensors),
            ExportFormat::Safetensors => {
                let metadata = BTreeMap::from([("format", "pt".to_owned())]);
                safetensors_writer::write(&mut out, &metadata, tensors)
            }
        })
    }

    /// The tensors of `torch.nn`'s layers, in the order of a `state_dict`.
    fn state_dict(&self) -> Vec<(String, TensorData)> {
        let mut tensors = Vec::new();
        for (name, data) in self.network.parameters() {
            let second = match self.config.bias {
                Bias::Single if name.contains(".bias_ih_l") => {
                    let zeros = TensorData::zeros::<f32, _>(data.shape().to_vec());
                    Some((name.replace("_ih_", "_hh_"), zeros))
                }
                _ => None,
            };
            tensors.push((name, data));
            tensors.extend(second);
        }
        tensors
    }
}

/// Adds a file to a ZIP archive, uncompressed.
fn add_file<W: Write>(
    zip: &mut ZipArchiveWriter<W>,
    name: &str,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let (mut entry, config): (_, ZipDataWriterConfig) =
        zip.new_file(name).start().map_err(io::Error::other)?;
    let mut writer = config.wrap(&mut entry);
    write(&mut writer)?;
    let (_, descriptor) = writer.finish().map_err(io::Error::other)?;
    entry.finish(descriptor).map_err(io::Error::other)?;
    Ok(())
}
