//! What calls return: tensors, storages and dictionaries are made here, anything else stays opaque.

use std::rc::Rc;

use super::machine::{Machine, OTHER};
use super::{Class, Element, Id, MALFORMED, Object, Result, Storage, Tensor, Value};

/// Longest name of a storage in bytes: names are compared often, and a short file can repeat a long one.
const MAX_KEY: usize = 500;

impl Machine<'_> {
    /// The value that a call returns.
    pub fn call(&mut self, callable: Id, arguments: Id) -> Result<Id> {
        let arguments = match self.value(arguments) {
            Value::List(arguments) => arguments.clone(),
            _ => return Err(MALFORMED),
        };
        // A malicious file may pass the same long list again and again.
        self.charge(arguments.len() * size_of::<Id>())?;
        let class = match self.value(callable) {
            Value::Class(class) => *class,
            _ => Class::Unknown,
        };
        let value = match class {
            Class::OrderedDict => self.ordered_dict(&arguments)?,
            Class::Set => Value::Other,
            Class::First => return Ok(arguments.first().copied().unwrap_or(OTHER)),
            Class::RebuildTensor => self.tensor(&arguments, |element| element)?,
            Class::RebuildTypedTensor => {
                let dtype = match arguments.get(6).map(|&dtype| self.value(dtype)) {
                    Some(Value::Class(Class::Dtype(element))) => *element,
                    _ => Element::Bytes,
                };
                self.tensor(&arguments, |_| dtype)?
            }
            Class::RebuildQuantized => {
                self.tensor(&arguments, |element| Element::Quantized(element.size()))?
            }
            Class::RebuildSubclass => return self.call_of_subclass(&arguments),
            Class::Storage(_) | Class::Dtype(_) | Class::Unknown => {
                Value::Object(Object { arguments, ..Object::default() }.into())
            }
        };
        self.add(value)
    }

    /// The tensor of `_rebuild_from_type_v2`, whose arguments are a function, a type and the function's arguments.
    fn call_of_subclass(&mut self, arguments: &[Id]) -> Result<Id> {
        let (&[function, _, inner, ..] | &[function, inner]) = arguments else {
            return Err(MALFORMED);
        };
        match self.value(function) {
            Value::Class(Class::RebuildSubclass) => Err(MALFORMED),
            _ => self.call(function, inner),
        }
    }

    /// An `OrderedDict`, of nothing, of a dictionary or of a list of pairs.
    fn ordered_dict(&mut self, arguments: &[Id]) -> Result<Value> {
        let Some(&content) = arguments.first() else { return Ok(Value::Dict(Vec::new())) };
        let count = match self.value(content) {
            Value::Dict(pairs) => pairs.len(),
            Value::List(pairs) => pairs.len(),
            _ => return Err(MALFORMED),
        };
        self.charge(2 * count * size_of::<Id>())?;
        let pair = |&pair: &Id| match self.value(pair) {
            Value::List(pair) if pair.len() == 2 => Ok((pair[0], pair[1])),
            _ => Err(MALFORMED),
        };
        Ok(Value::Dict(match self.value(content) {
            Value::Dict(pairs) => pairs.clone(),
            Value::List(pairs) => pairs.iter().map(pair).collect::<Result<_>>()?,
            _ => return Err(MALFORMED),
        }))
    }

    /// The value of this index, if there is one and it is a string.
    fn text_of(&self, id: Option<Id>) -> Option<&str> {
        match self.value(id?) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn size(&self, id: Id) -> Result<usize> {
        match self.value(id) {
            Value::Int(number) => usize::try_from(*number).map_err(|_| MALFORMED),
            _ => Err(MALFORMED),
        }
    }

    /// The arguments of `_rebuild_tensor_v2`: storage, offset, size, stride, and what autograd needs. `element` says of what
    /// type the numbers are, given the storage's.
    fn tensor(&mut self, arguments: &[Id], element: impl Fn(Element) -> Element) -> Result<Value> {
        let &[storage, offset, shape, strides, ..] = arguments else { return Err(MALFORMED) };
        // Other programs pickle tensors, too, with storages of their own making.
        let Value::Storage(storage) = self.value(storage) else { return Ok(Value::Other) };
        let element = element(storage.element);
        let storage = if element == storage.element {
            Rc::clone(storage)
        } else {
            Rc::new(Storage { key: Rc::clone(&storage.key), element })
        };
        let sizes = |id: Id| match self.value(id) {
            // PyTorch's own limit.
            Value::List(sizes) if sizes.len() <= 64 => {
                sizes.iter().map(|&size| self.size(size)).collect()
            }
            _ => Err(MALFORMED),
        };
        let (shape, strides): (Vec<_>, Vec<_>) = (sizes(shape)?, sizes(strides)?);
        if shape.len() != strides.len() {
            return Err(MALFORMED);
        }
        let tensor = Tensor { storage, offset: self.size(offset)?, shape, strides };
        let bytes = size_of::<Tensor>() + size_of::<Storage>() + 16 * tensor.shape.len();
        self.charge(bytes)?;
        Ok(Value::Tensor(tensor.into()))
    }

    /// What a persistent id stands for: a storage, `("storage", type, key, device, number of elements)`, or in old files a
    /// class with its source, `("module", class, file, source)`.
    pub fn persistent(&mut self, id: Id) -> Result<Id> {
        let Value::List(parts) = self.value(id) else { return Err(MALFORMED) };
        let value = match (self.text_of(parts.first().copied()), parts.as_slice()) {
            (Some("module"), &[_, class, ..]) => return Ok(class),
            (Some("storage"), &[_, kind, key, _, len, ref view @ ..]) => {
                if view.len() > 1 || view.iter().any(|&view| *self.value(view) != Value::Other) {
                    return Err("it has views of storages, which torch 0.4 and later don't write");
                }
                match (self.value(kind), self.value(key)) {
                    (_, Value::Text(key)) if key.len() > MAX_KEY => {
                        return Err("the name of a storage is longer than 500 bytes");
                    }
                    (Value::Class(Class::Storage(element)), Value::Text(key)) => {
                        let key = Rc::clone(key);
                        self.size(len)?;
                        Value::Storage(Storage { key, element: *element }.into())
                    }
                    _ => return Err(MALFORMED),
                }
            }
            _ => return Err(MALFORMED),
        };
        self.charge(size_of::<Storage>())?;
        self.add(value)
    }
}
