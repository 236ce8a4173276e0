//! Standard output and standard error whose reader may go away, as `head` does after its last line.
//!
//! The macros of this file take the place of the standard library's, which panic there.

use std::fmt::Arguments;
use std::io::{ErrorKind, Result, Write, stderr, stdout};
use std::thread;

/// What a shell says of a program that a closed pipe ended: 128 and the number of SIGPIPE.
const BROKEN_PIPE: i32 = 141;

/// Name of the thread of a command that does nothing but print: it ends once nobody reads.
pub(crate) const PRINTER: &str = "printer";

/// Name of the thread of a command that makes files: it goes on to its end, whoever reads what it prints.
pub(crate) const MAKER: &str = "maker";

macro_rules! println {
    () => { $crate::terminal::line(format_args!("")) };
    ($($arguments:tt)*) => { $crate::terminal::line(format_args!($($arguments)*)) };
}

macro_rules! eprintln {
    ($($arguments:tt)*) => { $crate::terminal::error_line(format_args!($($arguments)*)) };
}

/// Writes to standard output; what finds no reader is dropped, or ends a [`PRINTER`].
///
/// # Errors
/// Anything but a closed pipe, such as a full disk.
pub(crate) fn write(text: Arguments) -> Result<()> {
    let mut out = stdout().lock();
    match out.write_fmt(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            drop(out);
            end_a_printer(BROKEN_PIPE);
            Ok(())
        }
        result => result,
    }
}

/// `println!`.
pub(crate) fn line(text: Arguments) {
    if let Err(error) = write(format_args!("{text}\n")) {
        error_line(format_args!("warning: cannot print: {error}"));
        end_a_printer(1);
    }
}

/// Ends the process if all that it does cannot be seen.
fn end_a_printer(code: i32) {
    if thread::current().name() == Some(PRINTER) {
        std::process::exit(code);
    }
}

/// `eprintln!`; there is nowhere to tell that it failed.
pub(crate) fn error_line(text: Arguments) {
    let _ = stderr().lock().write_fmt(format_args!("{text}\n"));
}
