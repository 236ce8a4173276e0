//! Python's pickles, read as data: nothing in them is called, imported or looked up.
//!
//! A pickle is a program for a machine with a stack. This one keeps a record of every call that the program asks for, and what it
//! would be given; who reads the result knows the few calls that make tensors and dictionaries. Everything else stays a record.
//!
//! Every operation takes at least a byte of the file and makes at most one value, and values refer to each other by number: memory is
//! bounded by the file's length, and neither cycles nor depth do harm.
//!
//! Sources: the module `pickletools` of Python's library, for protocols 2 to 4.

mod input;
mod machine;

use std::ops::Range;

pub(super) use input::Fault;

/// The number of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id(u32);

/// What a pickle holds.
pub(super) struct Pickle<'a> {
    bytes: &'a [u8],
    values: Vec<Value>,
    /// What the pickle is of.
    pub(super) root: Id,
}

#[derive(Debug)]
enum Value {
    Bool(bool),
    Int(i64),
    /// Where its bytes are.
    Text(Range<usize>),
    /// A tuple, list or set.
    Sequence(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// The name of a class or function.
    Global {
        module: Text,
        name: Text,
    },
    Call(Box<Call>),
    /// What lies outside of the pickle under this key.
    Outside(Id),
    /// None, floating point numbers, bytes: no weights need them.
    Other,
}

/// Bytes, or a value that is text.
#[derive(Debug)]
enum Text {
    Bytes(Range<usize>),
    Value(Id),
}

/// A call that the program asks for.
#[derive(Debug)]
pub(super) struct Call {
    /// The class or function.
    pub(super) of: Id,
    pub(super) arguments: Id,
    /// What the result's attributes would be set to.
    pub(super) state: Option<Id>,
    /// What would be put into the result, if it is a dictionary.
    items: Vec<(Id, Id)>,
}

impl<'a> Pickle<'a> {
    /// Runs the program at `start`. Also where the bytes after it begin.
    pub(super) fn read(bytes: &'a [u8], start: usize) -> Result<(Self, usize), Fault> {
        machine::run(bytes, start)
    }

    pub(super) fn text(&self, id: Id) -> Option<&'a str> {
        match self.value(id) {
            Value::Text(range) => std::str::from_utf8(&self.bytes[range.clone()]).ok(),
            _ => None,
        }
    }

    pub(super) fn bool(&self, id: Id) -> Option<bool> {
        if let Value::Bool(value) = self.value(id) { Some(*value) } else { None }
    }

    /// A number that is not negative.
    pub(super) fn size(&self, id: Id) -> Option<usize> {
        if let Value::Int(value) = self.value(id) { usize::try_from(*value).ok() } else { None }
    }

    pub(super) fn sequence(&self, id: Id) -> Option<&[Id]> {
        if let Value::Sequence(values) = self.value(id) { Some(values) } else { None }
    }

    pub(super) fn call(&self, id: Id) -> Option<&Call> {
        if let Value::Call(call) = self.value(id) { Some(call) } else { None }
    }

    /// Module and name of a class or function.
    pub(super) fn global(&self, id: Id) -> Option<(&'a str, &'a str)> {
        let text = |text: &Text| match text {
            Text::Bytes(range) => std::str::from_utf8(&self.bytes[range.clone()]).ok(),
            Text::Value(id) => self.text(*id),
        };
        if let Value::Global { module, name } = self.value(id) {
            Some((text(module)?, text(name)?))
        } else {
            None
        }
    }

    /// Keys and values of a dictionary, or of one of Python's kinds of dictionaries.
    pub(super) fn items(&self, id: Id) -> Option<Vec<(Id, Id)>> {
        match self.value(id) {
            Value::Dict(items) => Some(items.clone()),
            Value::Call(call) if self.is_dict(call) => {
                let given = self.sequence(call.arguments)?.first().and_then(|&list| self.sequence(list));
                let pair = |&id: &Id| match self.sequence(id)? {
                    &[key, value] => Some((key, value)),
                    _ => None,
                };
                let given = given.into_iter().flatten().filter_map(pair);
                Some(given.chain(call.items.iter().copied()).collect())
            }
            _ => None,
        }
    }

    fn is_dict(&self, call: &Call) -> bool {
        matches!(self.global(call.of), Some(("collections", "OrderedDict" | "defaultdict")))
    }

    /// The keys of everything that lies outside of the pickle.
    pub(super) fn outside(&self) -> impl Iterator<Item = Id> {
        self.values.iter().filter_map(|value| if let Value::Outside(key) = value { Some(*key) } else { None })
    }

    /// The key of something that lies outside of the pickle.
    pub(super) fn key_outside(&self, id: Id) -> Option<Id> {
        if let Value::Outside(key) = self.value(id) { Some(*key) } else { None }
    }

    /// How many values there are: who walks over more walks in circles.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    fn value(&self, id: Id) -> &Value {
        &self.values[id.0 as usize]
    }
}

#[cfg(test)]
mod tests;
