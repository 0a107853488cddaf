//! Everything in a pickle that may be of use: its tensors and its vocabularies, at any depth.

use std::collections::HashSet;
use std::rc::Rc;

use super::candidate::{Candidate, Content, Form, MAX_CANDIDATES};
use super::pickle::{Id, Object, Pickle, Tensor, Value};

/// Tensors and vocabularies, in the order of the file.
#[derive(Debug, Default)]
pub struct Contents {
    pub tensors: Vec<FoundTensor>,
    pub candidates: Vec<Candidate>,
    /// The dictionaries, lists and modules that tensors lie in: for each the one around it. The first is the whole file.
    pub scopes: Vec<usize>,
}

/// A tensor, and where it lies.
#[derive(Clone, Debug)]
pub struct FoundTensor {
    /// The keys on the way to it, joined by dots.
    pub name: String,
    /// Names of the same view of the same storage in other scopes.
    pub aliases: Vec<String>,
    /// The first tensor that is this view: another one of the same scope where weights are tied.
    pub view: usize,
    /// The innermost dictionary, list or module around it, of [`Contents::scopes`].
    pub scope: usize,
    /// The file that it is in, of those that were read.
    pub file: usize,
    pub tensor: Rc<Tensor>,
}

/// Largest number of tensors that are looked at, longest name in bytes, and deepest nesting: a short file can repeat a long
/// key often.
const MAX_TENSORS: usize = 10_000;
const MAX_NAME: usize = 500;
const MAX_ALIASES: usize = 16;
const MAX_DEPTH: u8 = 100;
/// Largest number of dictionaries, lists and objects that are visited.
const MAX_PLACES: usize = 1_000_000;

const TOO_MANY: &str = "it has more than 10,000 tensors";

/// The attributes of a module of PyTorch that hold its parameters and the modules in it. They are no part of a name.
const OF_MODULES: [&str; 3] = ["_parameters", "_buffers", "_modules"];

impl Contents {
    /// Contents without anything in them yet.
    pub fn new() -> Self {
        Self { scopes: vec![0], ..Self::default() }
    }

    /// Adds what is in a pickle, whose storages are those of the file of this index.
    ///
    /// # Errors
    /// If it has too many tensors, or one with too long a name.
    pub fn add(&mut self, pickle: &Pickle, file: usize) -> Result<(), &'static str> {
        let root = Place {
            value: pickle.root,
            around: None,
            key: Key::None,
            scope: 0,
            depth: 0,
            is_no_parameter: false,
        };
        let mut walk = Walk {
            pickle,
            file,
            seen: HashSet::new(),
            visited_tensors: 0,
            path: vec![root],
            open: vec![0],
        };
        while let Some(place) = walk.open.pop() {
            walk.visit(place, self)?;
            if walk.path.len() > MAX_PLACES {
                return Err("it has more than a million lists and dictionaries");
            }
        }
        Ok(())
    }

    /// Adds a tensor.
    ///
    /// # Errors
    /// If there are too many, or its name is too long.
    pub fn push(&mut self, found: FoundTensor) -> Result<(), &'static str> {
        if found.name.len() > MAX_NAME {
            return Err("the name of a tensor is longer than 500 bytes");
        }
        if self.tensors.len() == MAX_TENSORS {
            return Err(TOO_MANY);
        }
        self.tensors.push(found);
        Ok(())
    }
}

/// A value on the way through a pickle.
struct Place {
    value: Id,
    /// The place that it was reached from.
    around: Option<u32>,
    key: Key,
    scope: u32,
    depth: u8,
    /// Whether it is within an attribute of a module that isn't a parameter: its last hidden state, say.
    is_no_parameter: bool,
}

#[derive(Clone, Copy)]
enum Key {
    /// No part of the name.
    None,
    Value(Id),
    Index(u32),
}

struct Walk<'a> {
    pickle: &'a Pickle,
    file: usize,
    /// Each value but tensors is visited once: a pickle can have one in many places, and in itself.
    seen: HashSet<Id>,
    visited_tensors: usize,
    path: Vec<Place>,
    /// Places that are to be visited, the last one first.
    open: Vec<u32>,
}

impl Walk<'_> {
    fn visit(&mut self, place: u32, found: &mut Contents) -> Result<(), &'static str> {
        let pickle = self.pickle;
        let value = self.path[place as usize].value;
        if let Value::Tensor(tensor) = pickle.value(value) {
            return match self.path[place as usize].is_no_parameter {
                true => Ok(()),
                false => self.found_tensor(place, tensor, found),
            };
        }
        if !self.seen.insert(value) {
            return Ok(());
        }
        if found.candidates.len() < MAX_CANDIDATES
            && let Some((form, len)) = Form::of(pickle, value, self.key(place))
            && let Ok(name) = self.name(place)
        {
            let content = Content::Pickled { file: self.file, value };
            found.candidates.push(Candidate { name, form, len, content });
        }
        match pickle.value(value) {
            Value::Dict(pairs) => self.enter_dict(place, pairs, false, found),
            Value::List(items) => self.enter_list(place, items, found),
            Value::Object(object) => {
                let Object { arguments, state, items, pairs } = &**object;
                self.enter_list(place, arguments, found);
                self.enter_list(place, items, found);
                self.enter_dict(place, pairs, false, found);
                match state.map(|state| pickle.value(state)) {
                    Some(Value::Dict(attributes)) => {
                        self.enter_dict(place, attributes, true, found);
                    }
                    Some(Value::List(parts)) => self.enter_list(place, parts, found),
                    _ => {}
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Adds a tensor. One that was found in another scope is the same one: modules keep their parameters in several places.
    fn found_tensor(
        &mut self,
        place: u32,
        tensor: &Rc<Tensor>,
        found: &mut Contents,
    ) -> Result<(), &'static str> {
        self.visited_tensors += 1;
        if self.visited_tensors > 10 * MAX_TENSORS {
            return Err(TOO_MANY);
        }
        let (name, file) = (self.name(place)?, self.file);
        let scope = self.path[place as usize].scope as usize;
        let is_same = |other: &FoundTensor| other.file == file && other.tensor == *tensor;
        let first = found.tensors.iter().position(is_same);
        match first.map(|first| &mut found.tensors[first]) {
            Some(other) if other.scope != scope => {
                if other.aliases.len() < MAX_ALIASES {
                    other.aliases.push(name);
                }
                Ok(())
            }
            _ => {
                let (view, tensor) = (first.unwrap_or(found.tensors.len()), Rc::clone(tensor));
                found.push(FoundTensor { name, aliases: Vec::new(), view, scope, file, tensor })
            }
        }
    }

    /// Opens the values of a dictionary, or of the attributes of an object.
    fn enter_dict(
        &mut self,
        place: u32,
        pairs: &[(Id, Id)],
        is_object: bool,
        found: &mut Contents,
    ) {
        let key = |key: &str| pairs.iter().any(|&(name, _)| self.pickle.text(name) == Some(key));
        // What an optimizer remembers has the shapes of the parameters, but isn't them.
        if key("param_groups") && key("state") {
            return;
        }
        let is_module = is_object || self.is_within_module(place);
        let children = pairs.iter().rev().map(|&(key, value)| {
            let is_part =
                is_module && self.pickle.text(key).is_some_and(|key| OF_MODULES.contains(&key));
            (if is_part { Key::None } else { Key::Value(key) }, value)
        });
        let children: Vec<_> = children.collect();
        let registers = is_object && key(OF_MODULES[0]);
        for (key, value) in children {
            let opened = self.path.len();
            let is_inner = match self.pickle.value(value) {
                Value::Object(_) => is_module,
                Value::Dict(_) => matches!(key, Key::None),
                _ => false,
            };
            self.enter(place, key, value, is_inner, found);
            if let Some(place) = self.path.get_mut(opened) {
                place.is_no_parameter |= registers && !matches!(key, Key::None);
            }
        }
    }

    fn enter_list(&mut self, place: u32, items: &[Id], found: &mut Contents) {
        for (index, &value) in items.iter().enumerate().rev() {
            self.enter(place, Key::Index(index as u32), value, false, found);
        }
    }

    /// Opens a value, which lies in the same scope if it `is_inner`.
    fn enter(&mut self, around: u32, key: Key, value: Id, is_inner: bool, found: &mut Contents) {
        let Place { scope, depth, is_no_parameter, .. } = self.path[around as usize];
        let is_scope = match (self.pickle.value(value), key) {
            (Value::Dict(_) | Value::List(_) | Value::Object(_), _) => !is_inner,
            (Value::Tensor(_), _) => false,
            (Value::Text(_), Key::Value(_)) => false,
            _ => return,
        };
        if depth == MAX_DEPTH {
            return;
        }
        let scope = match is_scope {
            true => {
                found.scopes.push(scope as usize);
                found.scopes.len() as u32 - 1
            }
            false => scope,
        };
        self.open.push(self.path.len() as u32);
        let (around, depth) = (Some(around), depth + 1);
        self.path.push(Place { value, around, key, scope, depth, is_no_parameter });
    }

    /// Whether a dictionary is one of those that a module's attributes are kept in.
    fn is_within_module(&self, place: u32) -> bool {
        let Place { key, around, .. } = &self.path[place as usize];
        matches!((key, around), (Key::None, Some(_)))
    }

    /// The last key on the way to a place, if it is a string.
    fn key(&self, place: u32) -> Option<&str> {
        match self.path[place as usize].key {
            Key::Value(key) => self.pickle.text(key),
            Key::None | Key::Index(_) => None,
        }
    }

    /// The keys on the way to a place, joined by dots.
    fn name(&self, place: u32) -> Result<String, &'static str> {
        let mut keys = Vec::new();
        let (mut at, mut len) = (Some(place), 0);
        while let Some(place) = at {
            let Place { key, around, .. } = &self.path[place as usize];
            let key = match *key {
                Key::None => None,
                Key::Index(index) => Some(index.to_string()),
                Key::Value(key) => match self.pickle.value(key) {
                    Value::Text(text) if text.len() > MAX_NAME => {
                        return Err("the name of a tensor is longer than 500 bytes");
                    }
                    Value::Text(text) => Some(text.to_string()),
                    Value::Int(number) => Some(number.to_string()),
                    _ => Some("?".to_owned()),
                },
            };
            len += key.as_ref().map_or(0, |key| key.len() + 1);
            if len > MAX_NAME + 1 {
                return Err("the name of a tensor is longer than 500 bytes");
            }
            keys.extend(key);
            at = *around;
        }
        keys.reverse();
        Ok(keys.join("."))
    }
}

#[cfg(test)]
mod tests;
