//! Python's pickle, read as plain data.
//!
//! A pickle is a program for a stack machine that may reference and call any function of Python. This machine calls none.
//! The few functions that make tensors and dictionaries are implemented here (`names.rs`); a call of any other becomes an
//! opaque [`Object`] that holds its arguments and its state.
//! The format is that of <https://github.com/python/cpython/blob/main/Lib/pickletools.py>, protocols 2 to 5.

use std::collections::HashMap;
use std::rc::Rc;

mod machine;
mod names;
mod rebuild;

use machine::Machine;

/// Index of a value in [`Pickle`]. Values are shared as they are in Python, strings and storages included, and what calls
/// copy is counted: a short file can't become a large value.
pub type Id = u32;

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
    Long(Box<[u8]>),
    Text(Rc<str>),
    Bool(bool),
    /// A list or a tuple.
    List(Vec<Id>),
    /// Keys and values, in their order.
    Dict(Vec<(Id, Id)>),
    Class(Class),
    Storage(Rc<Storage>),
    Tensor(Rc<Tensor>),
    Object(Box<Object>),
    /// `None`, and any other value that isn't needed here: floats, bytes, sets.
    Other,
}

/// An object of a class that isn't known here. Nothing of the class was called.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object {
    /// What the class or function was to be called with.
    pub arguments: Vec<Id>,
    /// What `__setstate__` was to be given: the attributes, unless the class says otherwise.
    pub state: Option<Id>,
    /// Elements, if it is a kind of list.
    pub items: Vec<Id>,
    /// Keys and values, if it is a kind of dictionary.
    pub pairs: Vec<(Id, Id)>,
}

/// A class or function that a pickle references.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    OrderedDict,
    /// A set: its elements have no order, so it is no vocabulary.
    Set,
    /// Returns its first argument.
    First,
    RebuildTensor,
    /// Makes a tensor of a storage without a type; the type is an argument.
    RebuildTypedTensor,
    RebuildQuantized,
    /// Makes a tensor of a subclass: its first arguments are a function and that function's arguments.
    RebuildSubclass,
    Storage(Element),
    Dtype(Element),
    Unknown,
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
    /// Quantized numbers of so many bytes.
    Quantized(usize),
    /// Bytes whose type isn't known here.
    Bytes,
}

impl Element {
    /// Bytes of one number.
    pub fn size(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
            Self::Integer(bytes) | Self::Quantized(bytes) => bytes,
            Self::Bytes => 1,
        }
    }
}

/// The memory that tensors are views of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Name within the file.
    pub key: Rc<str>,
    pub element: Element,
}

/// A view of a storage: offset and strides count elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    pub storage: Rc<Storage>,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// Why a pickle can't be read.
pub type PickleError = &'static str;

type Result<T> = std::result::Result<T, PickleError>;

const TRUNCATED: PickleError = "truncated pickle";
const MALFORMED: PickleError = "malformed pickle";

impl Pickle {
    /// Reads the pickle at the beginning of `bytes`; returns its length, too.
    pub fn read(bytes: &[u8]) -> Result<(Self, usize)> {
        Machine::run(bytes)
    }

    /// The value of this index.
    pub fn value(&self, id: Id) -> &Value {
        &self.values[id as usize]
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
