//! The machine that runs a pickle.

use std::collections::HashMap;

use super::input::{Fault, Input};
use super::{Call, Id, Pickle, Text, Value};

/// Runs the program at `start` to its end. Also where the bytes after it begin.
pub(super) fn run(bytes: &[u8], start: usize) -> Result<(Pickle<'_>, usize), Fault> {
    let input = Input { bytes, at: start.min(bytes.len()) };
    let mut machine =
        Machine { input, values: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
    while machine.step()? {}
    let root = machine.pop()?;
    Ok((Pickle { bytes, values: machine.values, root }, machine.input.at))
}

struct Machine<'a> {
    input: Input<'a>,
    values: Vec<Value>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

/// Operations, by the names that Python's `pickletools` gives them.
mod op {
    pub(super) const PROTO: u8 = 0x80;
    pub(super) const NEWOBJ: u8 = 0x81;
    pub(super) const TUPLE1: u8 = 0x85;
    pub(super) const TUPLE2: u8 = 0x86;
    pub(super) const TUPLE3: u8 = 0x87;
    pub(super) const NEWTRUE: u8 = 0x88;
    pub(super) const NEWFALSE: u8 = 0x89;
    pub(super) const LONG1: u8 = 0x8a;
    pub(super) const LONG4: u8 = 0x8b;
    pub(super) const SHORT_BINUNICODE: u8 = 0x8c;
    pub(super) const BINUNICODE8: u8 = 0x8d;
    pub(super) const BINBYTES8: u8 = 0x8e;
    pub(super) const EMPTY_SET: u8 = 0x8f;
    pub(super) const ADDITEMS: u8 = 0x90;
    pub(super) const FROZENSET: u8 = 0x91;
    pub(super) const NEWOBJ_EX: u8 = 0x92;
    pub(super) const STACK_GLOBAL: u8 = 0x93;
    pub(super) const MEMOIZE: u8 = 0x94;
    pub(super) const FRAME: u8 = 0x95;
}

impl Machine<'_> {
    /// One operation; false after the last.
    fn step(&mut self) -> Result<bool, Fault> {
        match self.input.byte()? {
            b'.' => return Ok(false), // STOP
            op::PROTO => drop(self.input.byte()?),
            op::FRAME => drop(self.input.array::<8>()?),
            b'(' => self.marks.push(self.stack.len()), // MARK
            b'0' => drop(self.pop()?),                 // POP
            b'1' => drop(self.pop_to_mark()?),         // POP_MARK
            b'2' => self.stack.push(self.top()?),      // DUP
            b'q' => self.put(|input| Ok(input.byte()?.into()))?, // BINPUT
            b'r' => self.put(|input| Ok(u32::from_le_bytes(input.array()?)))?, // LONG_BINPUT
            b'h' => self.get(|input| Ok(input.byte()?.into()))?, // BINGET
            b'j' => self.get(|input| Ok(u32::from_le_bytes(input.array()?)))?, // LONG_BINGET
            op::MEMOIZE => {
                let number = self.memo.len() as u32;
                self.put(|_| Ok(number))?;
            }
            b'a' => self.append()?,                 // APPEND
            b'e' | op::ADDITEMS => self.appends()?, // APPENDS
            b's' => self.set_item()?,               // SETITEM
            b'u' => self.set_items()?,              // SETITEMS
            b'b' => self.build()?,                  // BUILD
            code => self.make(code)?,
        }
        Ok(true)
    }

    /// Operations that put a value made of others onto the stack.
    fn make(&mut self, code: u8) -> Result<(), Fault> {
        let value = match code {
            b')' | b']' | op::EMPTY_SET => Value::Sequence(Vec::new()), // EMPTY_TUPLE, EMPTY_LIST
            b'}' => Value::Dict(Vec::new()),                            // EMPTY_DICT
            b't' | b'l' | op::FROZENSET => Value::Sequence(self.pop_to_mark()?), // TUPLE, LIST
            op::TUPLE1 => Value::Sequence(self.pop_last(1)?),
            op::TUPLE2 => Value::Sequence(self.pop_last(2)?),
            op::TUPLE3 => Value::Sequence(self.pop_last(3)?),
            b'd' => Value::Dict(self.pairs()?),  // DICT
            b'Q' => Value::Outside(self.pop()?), // BINPERSID
            b'c' => {
                // GLOBAL
                let [module, name] = [self.input.line()?, self.input.line()?].map(Text::Bytes);
                Value::Global { module, name }
            }
            op::STACK_GLOBAL => {
                let (name, module) = (self.pop()?, self.pop()?);
                Value::Global { module: Text::Value(module), name: Text::Value(name) }
            }
            b'R' | op::NEWOBJ => self.call()?, // REDUCE
            op::NEWOBJ_EX => {
                self.pop()?; // arguments by name
                self.call()?
            }
            code => self.literal(code)?,
        };
        self.push(value)
    }

    /// Operations whose value stands in the file.
    fn literal(&mut self, code: u8) -> Result<Value, Fault> {
        let input = &mut self.input;
        Ok(match code {
            b'N' => Value::Other, // NONE
            op::NEWTRUE => Value::Bool(true),
            op::NEWFALSE => Value::Bool(false),
            b'K' => Value::Int(input.byte()?.into()), // BININT1
            b'M' => Value::Int(u16::from_le_bytes(input.array()?).into()), // BININT2
            b'J' => Value::Int(i32::from_le_bytes(input.array()?).into()), // BININT
            op::LONG1 => {
                let count = input.byte()?;
                integer(&input.bytes[input.take(count.into())?])
            }
            op::LONG4 => {
                let count = u32::from_le_bytes(input.array()?);
                integer(&input.bytes[input.take(count as usize)?])
            }
            b'G' => {
                input.array::<8>()?; // BINFLOAT
                Value::Other
            }
            b'U' | op::SHORT_BINUNICODE => {
                // SHORT_BINSTRING: text of Python 2
                let count = input.byte()?;
                Value::Text(input.take(count.into())?)
            }
            b'X' | b'T' => {
                // BINUNICODE, BINSTRING
                let count = u32::from_le_bytes(input.array()?);
                Value::Text(input.take(count as usize)?)
            }
            op::BINUNICODE8 => Value::Text(take_long(input)?),
            b'C' => {
                let count = input.byte()?; // SHORT_BINBYTES
                input.take(count.into())?;
                Value::Other
            }
            b'B' => {
                let count = u32::from_le_bytes(input.array()?); // BINBYTES
                input.take(count as usize)?;
                Value::Other
            }
            op::BINBYTES8 => {
                take_long(input)?;
                Value::Other
            }
            code => return Err(input.fault(format!("an unknown operation {code:#04x} of the pickle"))),
        })
    }

    fn call(&mut self) -> Result<Value, Fault> {
        let (arguments, of) = (self.pop()?, self.pop()?);
        Ok(Value::Call(Box::new(Call { of, arguments, state: None, items: Vec::new() })))
    }

    /// Sets the attributes of what lies below. Those of a dictionary are no content of it.
    fn build(&mut self) -> Result<(), Fault> {
        let state = self.pop()?;
        let top = self.top()?;
        if let Value::Call(call) = self.value_mut(top) {
            call.state = Some(state);
        }
        Ok(())
    }

    fn append(&mut self) -> Result<(), Fault> {
        let value = self.pop()?;
        self.extend(vec![value])
    }

    fn appends(&mut self) -> Result<(), Fault> {
        let values = self.pop_to_mark()?;
        self.extend(values)
    }

    /// What goes into anything else than a list goes into an object, of which only a record is kept.
    fn extend(&mut self, more: Vec<Id>) -> Result<(), Fault> {
        let top = self.top()?;
        if let Value::Sequence(values) = self.value_mut(top) {
            values.extend(more);
        }
        Ok(())
    }

    fn set_item(&mut self) -> Result<(), Fault> {
        let (value, key) = (self.pop()?, self.pop()?);
        self.insert(vec![(key, value)])
    }

    fn set_items(&mut self) -> Result<(), Fault> {
        let pairs = self.pairs()?;
        self.insert(pairs)
    }

    fn insert(&mut self, more: Vec<(Id, Id)>) -> Result<(), Fault> {
        let top = self.top()?;
        match self.value_mut(top) {
            Value::Dict(items) => items.extend(more),
            Value::Call(call) => call.items.extend(more),
            _ => return Err(self.input.fault("items are put into what is no dictionary")),
        }
        Ok(())
    }

    fn pairs(&mut self) -> Result<Vec<(Id, Id)>, Fault> {
        let values = self.pop_to_mark()?;
        let (pairs, []) = values.as_chunks::<2>() else {
            return Err(self.input.fault("a dictionary has a key without a value"));
        };
        Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
    }

    fn put(&mut self, number: impl FnOnce(&mut Input) -> Result<u32, Fault>) -> Result<(), Fault> {
        let number = number(&mut self.input)?;
        let top = self.top()?;
        self.memo.insert(number, top);
        Ok(())
    }

    fn get(&mut self, number: impl FnOnce(&mut Input) -> Result<u32, Fault>) -> Result<(), Fault> {
        let number = number(&mut self.input)?;
        let value = self.memo.get(&number).copied();
        let missing = || self.input.fault(format!("value {number} is used before it is made"));
        self.stack.push(value.ok_or_else(missing)?);
        Ok(())
    }

    fn push(&mut self, value: Value) -> Result<(), Fault> {
        let number = u32::try_from(self.values.len()).map_err(|_| self.input.fault("too many values"))?;
        self.values.push(value);
        self.stack.push(Id(number));
        Ok(())
    }

    /// The stack above the last mark, as long as there is any.
    fn pop(&mut self) -> Result<Id, Fault> {
        let floor = self.marks.last().copied().unwrap_or_default();
        let value = if self.stack.len() > floor { self.stack.pop() } else { None };
        value.ok_or_else(|| self.input.fault(EMPTY))
    }

    fn top(&self) -> Result<Id, Fault> {
        self.stack.last().copied().ok_or_else(|| self.input.fault(EMPTY))
    }

    fn pop_last(&mut self, count: usize) -> Result<Vec<Id>, Fault> {
        let mut values = (0..count).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
        values.reverse();
        Ok(values)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, Fault> {
        let mark = self.marks.pop().ok_or_else(|| self.input.fault("a mark is missing"))?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn value_mut(&mut self, id: Id) -> &mut Value {
        &mut self.values[id.0 as usize]
    }
}

const EMPTY: &str = "a value is missing";

/// A signed number of any length, the lowest byte first; one beyond 64 bits is none that a tensor has.
fn integer(bytes: &[u8]) -> Value {
    if bytes.len() > 8 {
        return Value::Other;
    }
    let sign = if bytes.last().is_some_and(|&byte| byte >= 0x80) { 0xff } else { 0 };
    let mut whole = [sign; 8];
    whole[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(whole))
}

/// Bytes behind a length of 8 bytes.
fn take_long(input: &mut Input) -> Result<std::ops::Range<usize>, Fault> {
    let count = u64::from_le_bytes(input.array()?);
    input.take(usize::try_from(count).unwrap_or(usize::MAX))
}
