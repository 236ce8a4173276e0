//! Commands whose output nobody reads to its end.

use std::io::Read;
use std::process::Stdio;

use crate::Place;

/// What a shell says of a program that a closed pipe ended.
const BROKEN_PIPE: Option<i32> = Some(141);

impl Place {
    /// Starts a command, reads `bytes` of its output and closes the pipe, as `head` does; its exit code, and what it told as errors.
    fn read_and_close(&self, arguments: &[&str], bytes: usize) -> (Option<i32>, String) {
        let mut command = self.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut pipe = child.stdout.take().unwrap();
        pipe.read_exact(&mut vec![0; bytes]).unwrap();
        drop(pipe);
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[test]
fn commands_that_print_end_quietly() {
    let place = Place::new();
    for arguments in [
        &["data", "stats", "tiny"][..],
        &["data", "stats", "tiny", "--json"],
        &["data", "check", "tiny"],
        &["summary", "tiny", "--no-memory"],
    ] {
        // Closed before anything is printed: that takes a new process longer.
        assert_eq!(place.read_and_close(arguments, 0), (BROKEN_PIPE, String::new()), "{arguments:?}");
    }
}

#[test]
fn a_training_goes_on_without_a_reader() {
    let place = Place::new();
    let (code, told) = place.read_and_close(&["train", "tiny", "--set", "epochs=1"], 5);
    assert_eq!((code, told), (Some(0), String::new()));
    assert!(place.only_run().join("eval/val-best/means.tsv").is_file(), "it went to its end");
}
