//! What `import` is given: a file of PyTorch's or a safetensors file, or a folder of shards with an index.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use safetensors::Dtype;
use serde_json::Value;

use super::candidate::add_json;
use super::contents::{Contents, FoundTensor};
use super::pickle::{Element, Pickle, Storage, Tensor};
use super::storages::Storages;
use super::{ImportError, NotPyTorch, torch_file};
use crate::file::CONFIG;
use crate::safetensors_file::{ReadError, read_header};
use crate::strides::row_major;

/// The files that were read, and what they hold.
pub struct Source {
    pub files: Vec<SourceFile>,
    pub contents: Contents,
    /// How the linear layer reads the layers, if the metadata of a model file says it.
    pub readout: Option<Value>,
}

/// A file in memory.
pub struct SourceFile {
    pub path: PathBuf,
    pub storages: Storages,
}

/// Largest JSON file of a folder in which a vocabulary is looked for.
const MAX_JSON: u64 = 16 << 20;
/// Largest number of shards.
const MAX_SHARDS: usize = 1000;

impl Source {
    /// Reads a file or a folder, without the values of its tensors. The second result has the pickle of each file that is
    /// one.
    pub fn read(path: &Path) -> Result<(Self, Vec<Option<Pickle>>), ImportError> {
        let mut source = Self { files: Vec::new(), contents: Contents::new(), readout: None };
        let mut pickles = Vec::new();
        for file in source.list(path)? {
            let pickle = source.add(&file)?;
            pickles.push(pickle);
        }
        Ok((source, pickles))
    }

    /// The files of weights that a path stands for.
    fn list(&mut self, path: &Path) -> Result<Vec<PathBuf>, ImportError> {
        let index = match path.is_dir() {
            true => {
                let folder = Folder::read(path)?;
                for json in &folder.json {
                    let name = json.file_stem().unwrap_or_default().to_string_lossy();
                    let content = fs::read(json).ok();
                    if let Some(json) = content.and_then(|json| serde_json::from_slice(&json).ok())
                    {
                        add_json(&mut self.contents.candidates, &name, json);
                    }
                }
                match folder.weights {
                    Weights::File(file) => return Ok(vec![file]),
                    Weights::Index(index) => index,
                }
            }
            false if path.to_string_lossy().ends_with(".index.json") => path.to_path_buf(),
            false => return Ok(vec![path.to_path_buf()]),
        };
        shards(&index)
    }

    /// Reads a file and adds what is in it.
    fn add(&mut self, path: &Path) -> Result<Option<Pickle>, ImportError> {
        let bytes = read_all(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => ImportError::Missing { path: path.to_path_buf() },
            _ => ImportError::Unreadable { path: path.to_path_buf(), source },
        })?;
        let refused = |source| ImportError::NotPyTorch { path: path.to_path_buf(), source };
        let index = self.files.len();
        let (storages, pickle) = match bytes[..] {
            // The length of the header, which is less than 4 GB, and its first byte.
            [_, _, _, _, 0, 0, 0, 0, b'{', ..] => (self.add_safetensors(path, bytes, index)?, None),
            [b'P', b'K', ..] | [0x80, 2..=5, _, ..] => {
                let read = match bytes[0] {
                    b'P' => torch_file::from_archive(bytes),
                    _ => torch_file::from_old_file(bytes),
                };
                let (pickle, storages) = read.map_err(refused)?;
                let added = self.contents.add(&pickle, index);
                added.map_err(|problem| refused(NotPyTorch::Broken(problem)))?;
                (storages, Some(pickle))
            }
            _ => return Err(refused(NotPyTorch::Foreign)),
        };
        self.files.push(SourceFile { path: path.to_path_buf(), storages });
        Ok(pickle)
    }

    /// Adds the tensors and the metadata of a safetensors file.
    fn add_safetensors(
        &mut self,
        path: &Path,
        bytes: Vec<u8>,
        file: usize,
    ) -> Result<Storages, ImportError> {
        let refused = |source| ImportError::NotSafetensors { path: path.to_path_buf(), source };
        let len = bytes.len() as u64;
        let (start, header) = match read_header(&mut &bytes[..], Some(len)) {
            Ok(read) => read,
            Err(ReadError::Format(source)) => return Err(refused(source)),
            Err(ReadError::Io(source)) => {
                return Err(ImportError::Unreadable { path: path.to_path_buf(), source });
            }
        };
        for (key, text) in header.metadata().iter().flatten() {
            let json = serde_json::from_str(text).unwrap_or_else(|_| text.clone().into());
            if key == CONFIG
                && let Value::Object(config) = &json
            {
                self.readout = config.get("readout").cloned();
            }
            add_json(&mut self.contents.candidates, key, json);
        }
        let mut ranges = HashMap::new();
        for name in header.offset_keys() {
            let Some(info) = header.info(&name) else { continue };
            let element = match info.dtype {
                Dtype::F16 => Element::F16,
                Dtype::BF16 => Element::Bf16,
                Dtype::F32 => Element::F32,
                Dtype::F64 => Element::F64,
                Dtype::BOOL | Dtype::U8 | Dtype::I8 => Element::Integer(1),
                Dtype::U16 | Dtype::I16 => Element::Integer(2),
                Dtype::U32 | Dtype::I32 => Element::Integer(4),
                Dtype::U64 | Dtype::I64 => Element::Integer(8),
                _ => Element::Bytes,
            };
            let (from, to) = info.data_offsets;
            ranges.insert(name.clone(), start as usize + from..start as usize + to);
            let (key, shape) = (Rc::from(&*name), info.shape.clone());
            let storage = Storage { key, element };
            let tensor =
                Tensor { storage: storage.into(), offset: 0, strides: row_major(&shape), shape };
            let (view, tensor) = (self.contents.tensors.len(), tensor.into());
            let found = FoundTensor { name, aliases: Vec::new(), view, scope: 0, file, tensor };
            let pushed = self.contents.push(found);
            pushed.map_err(|problem| ImportError::NotPyTorch {
                path: path.to_path_buf(),
                source: NotPyTorch::Broken(problem),
            })?;
        }
        Ok(Storages::File { bytes, ranges })
    }
}

/// Reads a file whole. Memory that can't be had is an error.
fn read_all(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = fs::File::open(path)?;
    let mut bytes = Vec::new();
    let len = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    bytes.try_reserve_exact(len).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    io::Read::read_to_end(&mut file, &mut bytes)?;
    Ok(bytes)
}

/// A folder with a network in it.
struct Folder {
    weights: Weights,
    /// Its small JSON files.
    json: Vec<PathBuf>,
}

enum Weights {
    File(PathBuf),
    Index(PathBuf),
}

impl Folder {
    /// Finds the index in a folder, or else the only file of weights.
    fn read(path: &Path) -> Result<Self, ImportError> {
        let unreadable = |source| ImportError::Unreadable { path: path.to_path_buf(), source };
        let mut files = Vec::new();
        for entry in fs::read_dir(path).map_err(unreadable)? {
            files.push(entry.map_err(unreadable)?.path());
        }
        files.sort();
        let ending = |ends: &[&str]| -> Vec<PathBuf> {
            let ends_so = |file: &&PathBuf| {
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                ends.iter().any(|end| name.ends_with(end))
            };
            files.iter().filter(ends_so).cloned().collect()
        };
        let indexes = ending(&[".index.json"]);
        let mut json = ending(&[".json"]);
        json.retain(|file| {
            let is_small = fs::metadata(file).is_ok_and(|metadata| metadata.len() <= MAX_JSON);
            is_small && !indexes.contains(file)
        });
        let weights = ending(&[".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".net"]);
        let weights = match (indexes.as_slice(), weights.as_slice()) {
            ([index], _) => Weights::Index(index.clone()),
            ([], [file]) => Weights::File(file.clone()),
            ([], []) => {
                return Err(ImportError::Folder {
                    path: path.to_path_buf(),
                    problem: "has no file of weights",
                });
            }
            _ => {
                return Err(ImportError::Folder {
                    path: path.to_path_buf(),
                    problem: "has several files of weights: name one of them",
                });
            }
        };
        Ok(Self { weights, json })
    }
}

/// The files that an index lists, which are beside it.
fn shards(index: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let invalid = |problem: &'static str| ImportError::Index { path: index.to_path_buf(), problem };
    let content = read_all(index).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => ImportError::Missing { path: index.to_path_buf() },
        _ => ImportError::Unreadable { path: index.to_path_buf(), source },
    })?;
    let json: Value = serde_json::from_slice(&content).map_err(|_| invalid("is not JSON"))?;
    let Some(Value::Object(map)) = json.get("weight_map") else {
        return Err(invalid("has no `weight_map`, which says what file each tensor is in"));
    };
    let names: Option<BTreeSet<&str>> = map.values().map(Value::as_str).collect();
    let names =
        names.ok_or_else(|| invalid("has a `weight_map` whose values aren't file names"))?;
    if names.is_empty() || names.len() > MAX_SHARDS {
        return Err(invalid("lists no files, or more than 1,000"));
    }
    let is_plain = |name: &&str| Path::new(name).file_name() == Some(name.as_ref());
    if !names.iter().all(is_plain) {
        return Err(invalid("lists a file that is not in its folder"));
    }
    let folder = index.parent().unwrap_or(Path::new(""));
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}
