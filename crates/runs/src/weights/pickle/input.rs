//! The bytes of a pickle, from start to end.

use std::ops::Range;

/// Why a pickle cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::weights) struct Fault {
    /// The byte, counted from 0.
    pub(in crate::weights) at: usize,
    pub(in crate::weights) what: String,
}

pub(super) struct Input<'a> {
    pub(super) bytes: &'a [u8],
    /// Of the next byte; never past the end.
    pub(super) at: usize,
}

impl Input<'_> {
    pub(super) fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.array::<1>()?[0])
    }

    /// The next bytes, the lowest of a number first.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let range = self.take(N)?;
        let mut array = [0; N];
        array.copy_from_slice(&self.bytes[range]);
        Ok(array)
    }

    /// Where the next `count` bytes are.
    pub(super) fn take(&mut self, count: usize) -> Result<Range<usize>, Fault> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.bytes.len());
        let end =
            end.ok_or_else(|| self.fault(format!("{count} bytes should follow, the file ends before")))?;
        let range = self.at..end;
        self.at = end;
        Ok(range)
    }

    /// Where the bytes up to the next end of line are.
    pub(super) fn line(&mut self) -> Result<Range<usize>, Fault> {
        let length = self.bytes[self.at..].iter().position(|&byte| byte == b'\n');
        let range = self.take(length.ok_or_else(|| self.fault("a line does not end"))?)?;
        self.at += 1;
        let end = range.end - usize::from(self.bytes[range.clone()].ends_with(b"\r"));
        Ok(range.start..end)
    }

    pub(super) fn fault(&self, what: impl Into<String>) -> Fault {
        Fault { at: self.at, what: what.into() }
    }
}
