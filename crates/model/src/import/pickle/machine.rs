//! The stack machine that executes a pickle.

use std::collections::HashMap;
use std::rc::Rc;

use super::names::known;
use super::{Id, MALFORMED, Name, Pickle, PickleError, Result, Storage, TRUNCATED, Tensor, Value};

#[derive(Default)]
pub struct Machine<'a> {
    rest: &'a [u8],
    values: Vec<Value>,
    stack: Vec<Id>,
    /// Heights of the stack at which marks were set.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    /// How many elements of arguments calls may still look at.
    to_copy: usize,
}

impl<'a> Machine<'a> {
    /// Executes a pickle to its end; returns its length, too.
    pub fn run(bytes: &'a [u8]) -> Result<(Pickle, usize)> {
        let mut machine = Machine { rest: bytes, to_copy: bytes.len(), ..Machine::default() };
        while machine.step()? {}
        let root = machine.pop()?;
        Ok((Pickle { values: machine.values, root }, bytes.len() - machine.rest.len()))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(taken)
    }

    /// An unsigned integer of up to eight bytes, little-endian.
    fn number(&mut self, bytes: usize) -> Result<u64> {
        let bytes = self.take(bytes)?;
        Ok(bytes.iter().rev().fold(0, |number, &byte| (number << 8) | u64::from(byte)))
    }

    /// Bytes that are preceded by their count, an integer of `bytes` bytes.
    fn counted(&mut self, bytes: usize) -> Result<&'a [u8]> {
        let count = self.number(bytes)?;
        self.take(usize::try_from(count).map_err(|_| TRUNCATED)?)
    }

    fn line(&mut self) -> Result<&'a str> {
        let end = self.rest.iter().position(|&byte| byte == b'\n').ok_or(TRUNCATED)?;
        let line = self.take(end)?;
        self.take(1)?;
        std::str::from_utf8(line).map_err(|_| MALFORMED)
    }

    fn push(&mut self, value: Value) {
        let id = self.add(value);
        self.stack.push(id);
    }

    fn add(&mut self, value: Value) -> Id {
        self.values.push(value);
        self.values.len() - 1
    }

    fn push_text(&mut self, bytes: &[u8]) -> Result<()> {
        let text = std::str::from_utf8(bytes).map_err(|_| MALFORMED)?;
        self.push(Value::Text(text.into()));
        Ok(())
    }

    /// A string of Python 2, which is bytes; names consist of ASCII.
    fn push_old_text(&mut self, bytes: &[u8]) {
        let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
        self.push(Value::Text(text.into()));
    }

    fn push_long(&mut self, bytes: &[u8]) {
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        if bytes.len() > 8 {
            return self.push(Value::Long(bytes.to_vec()));
        }
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        self.push(Value::Int(i64::from_le_bytes(wide)));
    }

    /// Pops the topmost value, unless a mark is above it.
    fn pop(&mut self) -> Result<Id> {
        match self.marks.last() {
            Some(&height) if self.stack.len() <= height => Err(MALFORMED),
            _ => self.stack.pop().ok_or(MALFORMED),
        }
    }

    fn top(&self) -> Result<Id> {
        self.stack.last().copied().ok_or(MALFORMED)
    }

    /// Pops everything above the last mark.
    fn popped_to_mark(&mut self) -> Result<Vec<Id>> {
        let height = self.marks.pop().ok_or(MALFORMED)?;
        Ok(self.stack.split_off(height))
    }

    fn tuple(&mut self, count: usize) -> Result<()> {
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(self.pop()?);
        }
        items.reverse();
        self.push(Value::List(items));
        Ok(())
    }

    /// Adds the items to the list or set on top of the stack.
    fn append(&mut self, items: Vec<Id>) -> Result<()> {
        let list = self.top()?;
        match &mut self.values[list] {
            Value::List(list) => list.extend(items),
            Value::Other => {}
            _ => return Err(MALFORMED),
        }
        Ok(())
    }

    /// Adds keys and values, in turn, to the dictionary on top of the stack.
    fn set(&mut self, items: &[Id]) -> Result<()> {
        let dict = self.top()?;
        let (pairs, rest) = items.as_chunks();
        if !rest.is_empty() {
            return Err(MALFORMED);
        }
        match &mut self.values[dict] {
            Value::Dict(dict) => dict.extend(pairs.iter().map(|&[key, value]| (key, value))),
            Value::Other => {}
            _ => return Err(MALFORMED),
        }
        Ok(())
    }

    fn name(&mut self, module: &str, name: &str) -> Result<()> {
        let foreign = || PickleError::Foreign(format!("{module}.{name}"));
        let known = known(module, name).ok_or_else(foreign)?;
        self.push(Value::Name(known));
        Ok(())
    }

    fn keep(&mut self, place: u32) -> Result<()> {
        self.memo.insert(place, self.top()?);
        Ok(())
    }

    fn recall(&mut self, place: u64) -> Result<()> {
        let place = u32::try_from(place).map_err(|_| MALFORMED)?;
        self.stack.push(*self.memo.get(&place).ok_or(MALFORMED)?);
        Ok(())
    }

    /// Executes one opcode; false after the last.
    fn step(&mut self) -> Result<bool> {
        match self.take(1)?[0] {
            0x80 => drop(self.take(1)?), // PROTO
            0x95 => drop(self.take(8)?), // FRAME
            b'.' => return Ok(false),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.popped_to_mark()?),
            b'2' => self.stack.push(self.top()?),

            b'N' => self.push(Value::Other),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'K' => {
                let number = self.number(1)?;
                self.push(Value::Int(number as i64));
            }
            b'M' => {
                let number = self.number(2)?;
                self.push(Value::Int(number as i64));
            }
            b'J' => {
                let number = self.number(4)? as u32;
                self.push(Value::Int(i64::from(number.cast_signed())));
            }
            0x8a => {
                let bytes = self.counted(1)?;
                self.push_long(bytes);
            }
            0x8b => {
                let bytes = self.counted(4)?;
                self.push_long(bytes);
            }
            b'G' => {
                self.take(8)?;
                self.push(Value::Other);
            }
            b'X' => {
                let text = self.counted(4)?;
                self.push_text(text)?;
            }
            0x8c => {
                let text = self.counted(1)?;
                self.push_text(text)?;
            }
            0x8d => {
                let text = self.counted(8)?;
                self.push_text(text)?;
            }
            b'T' => {
                let text = self.counted(4)?;
                self.push_old_text(text);
            }
            b'U' => {
                let text = self.counted(1)?;
                self.push_old_text(text);
            }
            // Bytes, by the length of their length.
            code @ (b'B' | b'C' | 0x8e | 0x96) => {
                self.counted(match code {
                    b'C' => 1,
                    b'B' => 4,
                    _ => 8,
                })?;
                self.push(Value::Other);
            }

            b']' | b')' | 0x8f => self.push(Value::List(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            b't' | b'l' | 0x91 => {
                let items = self.popped_to_mark()?;
                self.push(Value::List(items));
            }
            0x85 => self.tuple(1)?,
            0x86 => self.tuple(2)?,
            0x87 => self.tuple(3)?,
            b'd' => {
                let items = self.popped_to_mark()?;
                self.push(Value::Dict(Vec::new()));
                self.set(&items)?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' | 0x90 => {
                let items = self.popped_to_mark()?;
                self.append(items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set(&[key, value])?;
            }
            b'u' => {
                let items = self.popped_to_mark()?;
                self.set(&items)?;
            }

            b'q' => {
                let place = self.number(1)?;
                self.keep(place as u32)?;
            }
            b'r' => {
                let place = self.number(4)?;
                self.keep(place as u32)?;
            }
            0x94 => self.keep(u32::try_from(self.memo.len()).map_err(|_| MALFORMED)?)?,
            b'h' => {
                let place = self.number(1)?;
                self.recall(place)?;
            }
            b'j' => {
                let place = self.number(4)?;
                self.recall(place)?;
            }

            // GLOBAL and INST: two lines. STACK_GLOBAL: two strings.
            b'c' | b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                self.name(module, name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (&self.values[module], &self.values[name]) {
                    (Value::Text(module), Value::Text(name)) => {
                        let (module, name) = (Rc::clone(module), Rc::clone(name));
                        self.name(&module, &name)?;
                    }
                    _ => return Err(MALFORMED),
                }
            }
            // NEWOBJ makes an object of a class as REDUCE calls a function; NEWOBJ_EX has named arguments besides.
            code @ (b'R' | 0x81 | 0x92) => {
                if code == 0x92 {
                    self.pop()?;
                }
                let (arguments, callable) = (self.pop()?, self.pop()?);
                let made = self.call(callable, arguments)?;
                self.stack.push(made);
            }
            // Attributes of an object, which aren't needed.
            b'b' => {
                self.pop()?;
                self.top()?;
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = self.storage(id)?;
                self.push(Value::Storage(storage.into()));
            }
            _ => return Err(MALFORMED),
        }
        Ok(true)
    }

    /// The value that a call returns.
    fn call(&mut self, callable: Id, arguments: Id) -> Result<Id> {
        self.pay_for(arguments)?;
        let (Value::Name(name), Value::List(arguments)) =
            (&self.values[callable], &self.values[arguments])
        else {
            return Err(MALFORMED);
        };
        let value = match name {
            Name::OrderedDict => self.ordered_dict(arguments)?,
            Name::RebuildTensor => Value::Tensor(self.tensor(arguments)?.into()),
            // A parameter is its tensor.
            Name::RebuildParameter => match arguments.first() {
                Some(&data) if matches!(self.values[data], Value::Tensor(_)) => return Ok(data),
                _ => return Err(MALFORMED),
            },
            Name::Storage(_) => return Err(MALFORMED),
            Name::Harmless => Value::Other,
        };
        Ok(self.add(value))
    }

    /// Counts the elements of a call's arguments, which it may look at and copy. In a file of weights each of them has a
    /// byte of its own; a malicious one may pass the same long list again and again.
    fn pay_for(&mut self, arguments: Id) -> Result<()> {
        let elements = |&id: &Id| match &self.values[id] {
            Value::List(elements) => elements.len(),
            _ => 0,
        };
        let Value::List(arguments) = &self.values[arguments] else { return Err(MALFORMED) };
        let left = self.to_copy.checked_sub(arguments.len()).ok_or(MALFORMED)?;
        let copied = arguments.iter().map(elements).sum();
        self.to_copy = left.checked_sub(copied).ok_or(MALFORMED)?;
        Ok(())
    }

    /// An `OrderedDict`, of nothing or of a list of pairs.
    fn ordered_dict(&self, arguments: &[Id]) -> Result<Value> {
        let Some(&pairs) = arguments.first() else { return Ok(Value::Dict(Vec::new())) };
        let Value::List(pairs) = &self.values[pairs] else { return Err(MALFORMED) };
        let pair = |&pair: &Id| match &self.values[pair] {
            Value::List(pair) if pair.len() == 2 => Ok((pair[0], pair[1])),
            _ => Err(MALFORMED),
        };
        Ok(Value::Dict(pairs.iter().map(pair).collect::<Result<_>>()?))
    }

    fn size(&self, id: Id) -> Result<usize> {
        match self.values[id] {
            Value::Int(number) => usize::try_from(number).map_err(|_| MALFORMED),
            _ => Err(MALFORMED),
        }
    }

    /// The arguments of `_rebuild_tensor_v2`: storage, offset, size, stride, and what autograd needs.
    fn tensor(&self, arguments: &[Id]) -> Result<Tensor> {
        let &[storage, offset, shape, strides, ..] = arguments else { return Err(MALFORMED) };
        let Value::Storage(storage) = &self.values[storage] else { return Err(MALFORMED) };
        let sizes = |id: Id| match &self.values[id] {
            Value::List(sizes) => sizes.iter().map(|&size| self.size(size)).collect(),
            _ => Err(MALFORMED),
        };
        let (shape, strides): (Vec<_>, Vec<_>) = (sizes(shape)?, sizes(strides)?);
        if shape.len() != strides.len() {
            return Err(MALFORMED);
        }
        Ok(Tensor { storage: Rc::clone(storage), offset: self.size(offset)?, shape, strides })
    }

    /// The persistent id of a storage: `("storage", type, key, device, number of elements)`.
    fn storage(&self, id: Id) -> Result<Storage> {
        let Value::List(parts) = &self.values[id] else { return Err(MALFORMED) };
        let &[_, kind, key, _, len, ref view @ ..] = parts.as_slice() else {
            return Err(MALFORMED);
        };
        if view.len() > 1 || view.iter().any(|&view| self.values[view] != Value::Other) {
            return Err(PickleError::Broken(
                "it has views of storages, which torch 0.4 and later don't write",
            ));
        }
        match (&self.values[kind], &self.values[key]) {
            (Value::Name(Name::Storage(element)), Value::Text(key)) => {
                Ok(Storage { key: Rc::clone(key), element: *element, len: self.size(len)? })
            }
            _ => Err(MALFORMED),
        }
    }
}
