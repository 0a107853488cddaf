//! The stack machine that executes a pickle.

use std::collections::HashMap;

use super::names::class;
use super::{Id, MALFORMED, Pickle, PickleError, Result, TRUNCATED, Value};

pub struct Machine<'a> {
    rest: &'a [u8],
    values: Vec<Value>,
    stack: Vec<Id>,
    /// Heights of the stack at which marks were set.
    marks: Vec<u32>,
    memo: HashMap<u32, Id>,
    /// Bytes of memory that values may still take.
    budget: usize,
}

/// Memory in bytes that the values of any pickle may take; those of a long one may take twice its length.
const ANY_BUDGET: usize = 48 << 20;
pub const TOO_LARGE: PickleError =
    "its pickle would take several times the memory that its length allows";

/// Values that occur often are made once: their indices. Integers up to 255 follow.
pub const OTHER: Id = 0;
const FALSE: Id = 1;
const TRUE: Id = 2;
const ZERO: Id = 3;

impl<'a> Machine<'a> {
    /// Executes a pickle to its end; returns its length, too.
    pub fn run(bytes: &'a [u8]) -> Result<(Pickle, usize)> {
        let mut values = vec![Value::Other, Value::Bool(false), Value::Bool(true)];
        values.extend((0..256).map(Value::Int));
        let mut machine = Machine {
            rest: bytes,
            values,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            budget: ANY_BUDGET.max(bytes.len().saturating_mul(2)),
        };
        while machine.step()? {}
        let root = machine.pop()?;
        Ok((Pickle { values: machine.values, root }, bytes.len() - machine.rest.len()))
    }

    /// Counts memory that is about to be taken. It is never given back: what a pickle drops, it needn't have made.
    pub fn charge(&mut self, bytes: usize) -> Result<()> {
        self.budget = self.budget.checked_sub(bytes).ok_or(TOO_LARGE)?;
        Ok(())
    }

    /// The value of this index.
    pub fn value(&self, id: Id) -> &Value {
        &self.values[id as usize]
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

    fn push(&mut self, value: Value) -> Result<()> {
        let id = self.add(value)?;
        self.stack.push(id);
        Ok(())
    }

    pub fn add(&mut self, value: Value) -> Result<Id> {
        // A vector has room for more than it holds.
        self.charge(size_of::<Value>() + 16)?;
        let id = Id::try_from(self.values.len()).map_err(|_| TOO_LARGE)?;
        self.values.push(value);
        Ok(id)
    }

    fn push_int(&mut self, number: i64) -> Result<()> {
        match number {
            0..256 => self.stack.push(ZERO + number as Id),
            _ => self.push(Value::Int(number))?,
        }
        Ok(())
    }

    fn push_text(&mut self, bytes: &[u8]) -> Result<()> {
        let text = std::str::from_utf8(bytes).map_err(|_| MALFORMED)?;
        self.charge(bytes.len())?;
        self.push(Value::Text(text.into()))
    }

    /// A string of Python 2, which is bytes; names consist of ASCII.
    fn push_old_text(&mut self, bytes: &[u8]) -> Result<()> {
        self.charge(2 * bytes.len())?;
        let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
        self.push(Value::Text(text.into()))
    }

    fn push_long(&mut self, bytes: &[u8]) -> Result<()> {
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        if bytes.len() > 8 {
            self.charge(bytes.len())?;
            return self.push(Value::Long(bytes.into()));
        }
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        self.push_int(i64::from_le_bytes(wide))
    }

    /// Pops the topmost value, unless a mark is above it.
    fn pop(&mut self) -> Result<Id> {
        match self.marks.last() {
            Some(&height) if self.stack.len() <= height as usize => Err(MALFORMED),
            _ => self.stack.pop().ok_or(MALFORMED),
        }
    }

    fn top(&self) -> Result<Id> {
        self.stack.last().copied().ok_or(MALFORMED)
    }

    /// Pops everything above the last mark.
    fn popped_to_mark(&mut self) -> Result<Vec<Id>> {
        let height = self.marks.pop().ok_or(MALFORMED)?;
        Ok(self.stack.split_off(height as usize))
    }

    fn push_list(&mut self, items: Vec<Id>) -> Result<()> {
        self.charge(items.len() * size_of::<Id>())?;
        self.push(Value::List(items))
    }

    fn tuple(&mut self, count: usize) -> Result<()> {
        let mut items = vec![0; count];
        for item in items.iter_mut().rev() {
            *item = self.pop()?;
        }
        self.push_list(items)
    }

    /// Adds the items to the list or set on top of the stack.
    fn append(&mut self, items: &[Id]) -> Result<()> {
        self.charge(2 * size_of_val(items))?;
        let list = self.top()?;
        match &mut self.values[list as usize] {
            Value::List(list) => list.extend(items),
            Value::Object(object) => object.items.extend(items),
            Value::Other => {}
            _ => return Err(MALFORMED),
        }
        Ok(())
    }

    /// Adds keys and values, in turn, to the dictionary on top of the stack.
    fn set(&mut self, items: &[Id]) -> Result<()> {
        self.charge(2 * size_of_val(items))?;
        let dict = self.top()?;
        let (pairs, rest) = items.as_chunks();
        if !rest.is_empty() {
            return Err(MALFORMED);
        }
        let pairs = pairs.iter().map(|&[key, value]| (key, value));
        match &mut self.values[dict as usize] {
            Value::Dict(dict) => dict.extend(pairs),
            Value::Object(object) => object.pairs.extend(pairs),
            Value::Other => {}
            _ => return Err(MALFORMED),
        }
        Ok(())
    }

    /// Gives the object on top of the stack its state. What is known here needs none.
    fn build(&mut self) -> Result<()> {
        let state = self.pop()?;
        let object = self.top()?;
        if let Value::Object(object) = &mut self.values[object as usize] {
            object.state = Some(state);
        }
        Ok(())
    }

    fn keep(&mut self, place: u32) -> Result<()> {
        self.charge(24)?;
        self.memo.insert(place, self.top()?);
        Ok(())
    }

    fn recall(&mut self, place: u64) -> Result<()> {
        let place = u32::try_from(place).map_err(|_| MALFORMED)?;
        self.stack.push(*self.memo.get(&place).ok_or(MALFORMED)?);
        Ok(())
    }

    /// Calls a class with everything above the last mark.
    fn instance(&mut self, class: Id, arguments: Vec<Id>) -> Result<()> {
        self.charge(arguments.len() * size_of::<Id>())?;
        let arguments = self.add(Value::List(arguments))?;
        let made = self.call(class, arguments)?;
        self.stack.push(made);
        Ok(())
    }

    /// Executes one opcode; false after the last.
    fn step(&mut self) -> Result<bool> {
        if 2 * size_of::<Id>() * (self.stack.len() + self.marks.len()) > self.budget {
            return Err(TOO_LARGE);
        }
        match self.take(1)?[0] {
            0x80 => drop(self.take(1)?), // PROTO
            0x95 => drop(self.take(8)?), // FRAME
            b'.' => return Ok(false),
            b'(' => self.marks.push(self.stack.len() as u32),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.popped_to_mark()?),
            b'2' => self.stack.push(self.top()?),

            b'N' => self.stack.push(OTHER),
            0x88 => self.stack.push(TRUE),
            0x89 => self.stack.push(FALSE),
            b'K' => {
                let number = self.number(1)?;
                self.push_int(number as i64)?;
            }
            b'M' => {
                let number = self.number(2)?;
                self.push_int(number as i64)?;
            }
            b'J' => {
                let number = self.number(4)? as u32;
                self.push_int(i64::from(number.cast_signed()))?;
            }
            0x8a => {
                let bytes = self.counted(1)?;
                self.push_long(bytes)?;
            }
            0x8b => {
                let bytes = self.counted(4)?;
                self.push_long(bytes)?;
            }
            b'G' => {
                self.take(8)?;
                self.stack.push(OTHER);
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
                self.push_old_text(text)?;
            }
            b'U' => {
                let text = self.counted(1)?;
                self.push_old_text(text)?;
            }
            // Bytes, by the length of their length.
            code @ (b'B' | b'C' | 0x8e | 0x96) => {
                self.counted(match code {
                    b'C' => 1,
                    b'B' => 4,
                    _ => 8,
                })?;
                self.stack.push(OTHER);
            }

            b']' | b')' => self.push(Value::List(Vec::new()))?,
            b'}' => self.push(Value::Dict(Vec::new()))?,
            b't' | b'l' => {
                let items = self.popped_to_mark()?;
                self.push_list(items)?;
            }
            0x85 => self.tuple(1)?,
            0x86 => self.tuple(2)?,
            0x87 => self.tuple(3)?,
            b'd' => {
                let items = self.popped_to_mark()?;
                self.push(Value::Dict(Vec::new()))?;
                self.set(&items)?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            // Sets: an empty one, one of all above the mark, and elements for one.
            0x8f => self.stack.push(OTHER),
            0x91 => {
                self.popped_to_mark()?;
                self.stack.push(OTHER);
            }
            b'e' | 0x90 => {
                let items = self.popped_to_mark()?;
                self.append(&items)?;
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

            // GLOBAL: two lines. STACK_GLOBAL: two strings.
            b'c' => {
                let class = class(self.line()?, self.line()?);
                self.push(Value::Class(class))?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let class = match (self.value(module), self.value(name)) {
                    (Value::Text(module), Value::Text(name)) => class(module, name),
                    _ => return Err(MALFORMED),
                };
                self.push(Value::Class(class))?;
            }
            // INST: two lines, the arguments above the mark. OBJ: the class is above the mark, too.
            b'i' => {
                let class = class(self.line()?, self.line()?);
                let class = self.add(Value::Class(class))?;
                let arguments = self.popped_to_mark()?;
                self.instance(class, arguments)?;
            }
            b'o' => {
                let mut arguments = self.popped_to_mark()?;
                if arguments.is_empty() {
                    return Err(MALFORMED);
                }
                let class = arguments.remove(0);
                self.instance(class, arguments)?;
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
            b'b' => self.build()?,
            b'Q' => {
                let id = self.pop()?;
                let value = self.persistent(id)?;
                self.stack.push(value);
            }
            _ => return Err(MALFORMED),
        }
        Ok(true)
    }
}
