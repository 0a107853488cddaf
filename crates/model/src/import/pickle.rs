//! Python's pickle, as far as `torch.save` uses it.
//!
//! A pickle is a program for a stack machine that may name any function of Python and call it. This machine calls none:
//! the few names that a file of weights needs stand for what is done here, and any other name is an error.
//! The format is that of <https://github.com/python/cpython/blob/main/Lib/pickletools.py>, protocols 2 to 5.

mod machine;
mod names;

use machine::Machine;

/// Where a value stands in [`Pickle`]: values are shared as they are in Python, and what
/// calls copy is counted: a short file can't become a large value.
pub type Id = usize;

/// What was pickled.
#[derive(Debug)]
pub struct Pickle {
    values: Vec<Value>,
    pub root: Id,
}

/// A value, as far as weights and vocabularies need it told from others.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Int(i64),
    /// An integer beyond 64 bits: its bytes, the lowest first.
    Long(Vec<u8>),
    Text(String),
    Bool(bool),
    /// A list, a tuple or a set.
    List(Vec<Id>),
    /// Keys and values, in their order.
    Dict(Vec<(Id, Id)>),
    Name(Name),
    Storage(Storage),
    Tensor(Tensor),
    /// Something else, harmless and of no use here.
    Other,
}

/// A name that a pickle may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(Element),
    /// Makes a value that is of no use here.
    Harmless,
}

/// The type of a storage's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    F16,
    Bf16,
    F32,
    F64,
    /// Whole numbers or truth values of so many bytes.
    Whole(usize),
}

impl Element {
    /// Bytes of one number.
    pub fn size(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
            Self::Whole(bytes) => bytes,
        }
    }
}

/// Numbers that tensors are views of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Its name within the file.
    pub key: String,
    pub element: Element,
    /// Number of elements.
    pub len: usize,
}

/// A view of a storage: offset and strides count elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    pub storage: Storage,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// Why a pickle isn't read.
#[derive(Debug, PartialEq, Eq)]
pub enum PickleError {
    /// It is cut short or makes no sense.
    Broken(&'static str),
    /// It names something that a file of weights has no use for.
    Foreign(String),
}

type Result<T> = std::result::Result<T, PickleError>;

const SHORT: PickleError = PickleError::Broken("its pickle ends too early");
const SENSELESS: PickleError = PickleError::Broken("its pickle makes no sense");

impl Pickle {
    /// Reads the pickle that `bytes` begin with, and says how many bytes it has.
    pub fn read(bytes: &[u8]) -> Result<(Self, usize)> {
        Machine::run(bytes)
    }

    /// The value that stands there.
    pub fn value(&self, id: Id) -> &Value {
        &self.values[id]
    }

    /// The type of the numbers of a storage.
    pub fn element(&self, key: &str) -> Option<Element> {
        self.values.iter().find_map(|value| match value {
            Value::Storage(storage) if storage.key == key => Some(storage.element),
            _ => None,
        })
    }

    /// What a dictionary has under a key that is a string.
    pub fn get(&self, dict: Id, key: &str) -> Option<Id> {
        let Value::Dict(pairs) = self.value(dict) else { return None };
        let found = pairs.iter().rev().find(|(name, _)| self.text(*name) == Some(key));
        found.map(|&(_, value)| value)
    }

    /// A value that is a string.
    pub fn text(&self, id: Id) -> Option<&str> {
        match self.value(id) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
