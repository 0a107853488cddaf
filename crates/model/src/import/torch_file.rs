//! Files of `torch.save` and archives of TorchScript: what was pickled, and the storages of its tensors.

use std::collections::HashMap;

use super::NotPyTorch;
use super::archive::Archive;
use super::pickle::{Pickle, PickleError, Value};
use super::storages::Storages;

/// What a file of torch before 1.6 begins with, as an integer.
const OLD_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// Reads a file of the current format, a ZIP archive.
pub fn from_archive(bytes: Vec<u8>) -> Result<(Pickle, Storages), NotPyTorch> {
    let archive = Archive::open(bytes)?;
    let read = |name| archive.read(name).map_err(NotPyTorch::Archive);
    let pickle = read("data.pkl")?.unwrap_or_default();
    let (pickle, _) = Pickle::read(&pickle)?;
    if read("byteorder")?.is_some_and(|order| *order != *b"little") {
        return Err(BIG_ENDIAN.into());
    }
    Ok((pickle, Storages::Archive(archive)))
}

/// Reads a file of the format before torch 1.6: five pickles (a magic number, a version, the machine, the content, the
/// storages' keys), which the storages follow.
pub fn from_old_file(bytes: Vec<u8>) -> Result<(Pickle, Storages), NotPyTorch> {
    let mut at = 0;
    let mut next = || {
        let (pickle, len) = Pickle::read(&bytes[at..])?;
        at += len;
        Ok::<_, PickleError>(pickle)
    };
    let magic = next()?;
    if *magic.value(magic.root) != Value::Long(OLD_MAGIC.into()) {
        return Err(NotPyTorch::OtherPickle);
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
    Ok((pickle, Storages::File { bytes, ranges }))
}

const BIG_ENDIAN: &str = "it was written on a big-endian machine";
const TRUNCATED: &str = "it is truncated";
