//! Python's pickle, as far as `torch.save` uses it.
//!
//! A pickle is a program for a stack machine that may reference and call any function of Python. This machine calls none:
//! the few names that a file of weights needs are implemented here, and any other name is an error.
//! The format is that of <https://github.com/python/cpython/blob/main/Lib/pickletools.py>, protocols 2 to 5.

use std::collections::HashMap;
use std::rc::Rc;

mod machine;
mod names;

use machine::Machine;

/// Index of a value in [`Pickle`]. Values are shared as they are in Python, strings and storages included, and what calls
/// copy is counted: a short file can't become a large value.
pub type Id = usize;

/// What was pickled.
#[derive(Debug)]
pub struct Pickle {
    values: Vec<Value>,
    pub root: Id,
}

/// A value, as far as weights and vocabularies need it to be distinguished.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Int(i64),
    /// An integer beyond 64 bits: its bytes in little-endian order.
    Long(Vec<u8>),
    Text(Rc<str>),
    Bool(bool),
    /// A list, a tuple or a set.
    List(Vec<Id>),
    /// Keys and values, in their order.
    Dict(Vec<(Id, Id)>),
    Name(Name),
    Storage(Rc<Storage>),
    Tensor(Rc<Tensor>),
    /// Any other value, which is harmless and not needed here.
    Other,
}

/// A name that a pickle may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(Element),
    /// Makes a value that isn't needed here.
    Harmless,
}

/// The type of a storage's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    F16,
    Bf16,
    F32,
    F64,
    /// Integers or booleans of so many bytes.
    Integer(usize),
}

impl Element {
    /// Bytes of one number.
    pub fn size(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
            Self::Integer(bytes) => bytes,
        }
    }
}

/// The memory that tensors are views of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Name within the file.
    pub key: Rc<str>,
    pub element: Element,
    /// Number of elements.
    pub len: usize,
}

/// A view of a storage: offset and strides count elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    pub storage: Rc<Storage>,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// Why a pickle isn't read.
#[derive(Debug, PartialEq, Eq)]
pub enum PickleError {
    /// It is truncated or malformed.
    Broken(&'static str),
    /// It references a function or class that weights don't need.
    Foreign(String),
}

type Result<T> = std::result::Result<T, PickleError>;

const TRUNCATED: PickleError = PickleError::Broken("truncated pickle");
const MALFORMED: PickleError = PickleError::Broken("malformed pickle");

impl Pickle {
    /// Reads the pickle at the beginning of `bytes`; returns its length, too.
    pub fn read(bytes: &[u8]) -> Result<(Self, usize)> {
        Machine::run(bytes)
    }

    /// The value of this index.
    pub fn value(&self, id: Id) -> &Value {
        &self.values[id]
    }

    /// The element types of all storages, by their keys.
    pub fn elements(&self) -> HashMap<&str, Element> {
        let storages = self.values.iter().filter_map(|value| match value {
            Value::Storage(storage) => Some((&*storage.key, storage.element)),
            _ => None,
        });
        storages.collect()
    }

    /// The value of a dictionary under a key that is a string.
    pub fn get(&self, dict: Id, key: &str) -> Option<Id> {
        let Value::Dict(pairs) = self.value(dict) else { return None };
        let found = pairs.iter().rev().find(|(name, _)| self.text(*name) == Some(key));
        found.map(|&(_, value)| value)
    }

    /// The value of this index, if it is a string.
    pub fn text(&self, id: Id) -> Option<&str> {
        match self.value(id) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
