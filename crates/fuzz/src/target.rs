//! A reader under test.

use std::any::Any;
use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;

use crate::Random;

/// Longest time to read one input, unless the target has its own. A slow one is read again: another program may have slowed the memory.
const LONGEST: Duration = Duration::from_secs(1);
const READINGS: usize = 4;

/// After computing so long without an answer the reader hangs.
const HANGS: Duration = Duration::from_secs(60);

/// After so long without an answer it does, whether it computes or waits.
const SILENT: Duration = Duration::from_secs(20 * 60);

/// Longest input, in bytes.
const LONGEST_INPUT: usize = 1 << 18;

/// Most changes to one file.
const MOST_CHANGES: usize = 4;

/// Most inputs that are kept for further damage.
const POOL: usize = 300;

/// A reader of one kind of file, with what it may cost.
pub struct Target {
    name: &'static str,
    folder: TempDir,
    path: PathBuf,
    memory: fn(u64) -> u64,
    longest: Duration,
    read: Box<Reader>,
}

type Reader = dyn Fn(&Path) -> Result<(), String> + Send;

/// How a search is done.
struct Search {
    seed: u64,
    inputs: usize,
    time: Option<Duration>,
}

/// What came of the inputs so far.
#[derive(Default)]
struct Record {
    inputs: usize,
    accepted: usize,
    /// The ways in which inputs were refused.
    refusals: HashSet<String>,
    memory: u64,
    slowest: Duration,
}

/// What one input cost, and why it was refused if it was.
struct Reading {
    refusal: Option<String>,
    memory: u64,
    time: Duration,
}

impl Target {
    /// A reader of files called `file`, which may use `memory` bytes at a time for a file of so many bytes.
    ///
    /// `read` gives the text of the error for a file that it refuses.
    ///
    /// # Panics
    /// If there can be no temporary folder.
    pub fn new(
        name: &'static str,
        file: &str,
        memory: fn(u64) -> u64,
        read: impl Fn(&Path) -> Result<(), String> + Send + 'static,
    ) -> Self {
        let folder = TempDir::with_prefix(format!("sconce-fuzz-{name}-")).expect("a temporary folder");
        let path = folder.path().join(file);
        Self { name, folder, path, memory, longest: LONGEST, read: Box::new(read) }
    }

    /// The target with another bound than a second; reading that has not ended after a minute is taken to hang.
    pub fn within(self, longest: Duration) -> Self {
        Self { longest, ..self }
    }

    /// The folder of the input, for other files that the reader needs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Reads one input. The text of the error if it is refused.
    ///
    /// # Errors
    /// The reader's error.
    ///
    /// # Panics
    /// If the reader panics, needs too much time or memory, or has an error that does not name the file.
    pub fn check(&self, bytes: &[u8]) -> Result<(), String> {
        let reading = self.attempt(bytes).unwrap_or_else(|fault| panic!("{}: {fault}", self.name));
        reading.refusal.map_or(Ok(()), Err)
    }

    /// Reads the files of `corpus`, which must be good ones, and then damaged copies: `inputs` of them from a fixed seed, or as many
    /// as `SCONCE_FUZZ_SECONDS` allow.
    ///
    /// `damage` changes the first file given; it may take parts from the second.
    ///
    /// # Panics
    /// As [`check`](Self::check), with the path of the input; also if a file of the corpus is refused, or the reader hangs.
    pub fn run(
        self,
        inputs: usize,
        corpus: Vec<Vec<u8>>,
        damage: impl Fn(&mut Random, &[u8], &[u8]) -> Vec<u8> + Send + 'static,
    ) {
        let search = Search::of_environment(inputs);
        let (name, path) = (self.name, self.path.clone());
        let (alive, watched) = channel();
        let thread = Arc::new(OnceLock::new());
        let own = Arc::clone(&thread);
        let worker = thread::spawn(move || {
            if let Some(account) = account_of_this_thread() {
                own.get_or_init(|| account);
            }
            self.search(&search, corpus, damage, &alive);
        });
        let busy = || thread.get().and_then(|account| time_in(account));
        wait(&watched, busy, || {
            panic!("{name}: no answer within {HANGS:?}; the input is {}", path.display())
        });
        if let Err(panic) = worker.join() {
            resume_unwind(panic);
        }
    }

    fn search(
        mut self,
        search: &Search,
        mut pool: Vec<Vec<u8>>,
        damage: impl Fn(&mut Random, &[u8], &[u8]) -> Vec<u8>,
        alive: &Sender<()>,
    ) {
        for good in &pool {
            let refusal = self.check(good).err();
            assert!(refusal.is_none(), "{}: a good file is refused: {refusal:?}", self.name);
        }
        let (mut random, mut record, start) = (Random::new(search.seed), Record::default(), Instant::now());
        while search.goes_on(record.inputs, start.elapsed()) {
            let mut bytes = random.pick(&pool).clone();
            for _ in 0..=random.below(MOST_CHANGES) {
                let other = random.pick(&pool);
                bytes = damage(&mut random, &bytes, other);
                bytes.truncate(LONGEST_INPUT);
            }
            match self.attempt(&bytes) {
                Ok(reading) if record.add(&reading) && pool.len() < POOL => pool.push(bytes),
                Ok(_) => {}
                Err(fault) => {
                    self.folder.disable_cleanup(true);
                    panic!(
                        "{}: {fault}\nthe input is {}, seed {}",
                        self.name,
                        self.path.display(),
                        search.seed
                    );
                }
            }
            // Nobody listens any more after a hang.
            let _ = alive.send(());
        }
        if search.time.is_some() {
            tell(&record.summary(self.name, search.seed, start.elapsed()));
        }
    }

    /// Reads one input; an error is a fault of the reader.
    fn attempt(&self, bytes: &[u8]) -> Result<Reading, String> {
        fs::write(&self.path, bytes).map_err(|e| format!("cannot write {}: {e}", self.path.display()))?;
        let mut reading = self.reading()?;
        for _ in 1..READINGS {
            if reading.time > self.longest {
                reading = self.reading()?;
            }
        }
        let bound = (self.memory)(bytes.len() as u64);
        if reading.memory > bound {
            return Err(format!("{} bytes of memory, more than {bound}", reading.memory));
        }
        if reading.time > self.longest {
            return Err(format!("{:?}, longer than {:?}", reading.time, self.longest));
        }
        match &reading.refusal {
            Some(message) if !message.contains(&*self.folder().to_string_lossy()) => {
                Err(format!("the error does not name the file: {message}"))
            }
            _ => Ok(reading),
        }
    }

    fn reading(&self) -> Result<Reading, String> {
        let mut result = Ok(Ok(()));
        let clock = Clock::start();
        let read = || result = catch_unwind(AssertUnwindSafe(|| (self.read)(&self.path)));
        let memory = allocation_counter::measure(read).bytes_max;
        let time = clock.elapsed();
        let refusal = result.map_err(|panic| format!("a panic: {}", message(&*panic)))?.err();
        Ok(Reading { refusal, memory, time })
    }
}

impl Search {
    /// A fixed one, unless the environment asks for a longer one.
    fn of_environment(inputs: usize) -> Self {
        let number = |name: &str| {
            let text = std::env::var(name).ok()?;
            Some(
                text.parse::<u64>()
                    .unwrap_or_else(|_| panic!("{name} is '{text}' and must be a whole number")),
            )
        };
        let time = number("SCONCE_FUZZ_SECONDS").map(Duration::from_secs);
        let now = || SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_nanos() as u64);
        let seed = number("SCONCE_FUZZ_SEED").unwrap_or_else(|| if time.is_some() { now() } else { 1 });
        Self { seed, inputs, time }
    }

    fn goes_on(&self, inputs: usize, elapsed: Duration) -> bool {
        self.time.map_or(inputs < self.inputs, |time| elapsed < time)
    }
}

impl Record {
    /// Counts a reading; true if its outcome is new.
    fn add(&mut self, reading: &Reading) -> bool {
        self.inputs += 1;
        self.memory = self.memory.max(reading.memory);
        self.slowest = self.slowest.max(reading.time);
        let Some(refusal) = &reading.refusal else {
            self.accepted += 1;
            return self.accepted <= POOL / 3;
        };
        // Numbers and quoted names differ in every message.
        let kind: String = refusal.split(['\'', '"', '`']).step_by(2).collect();
        self.refusals.insert(kind.chars().filter(|c| c.is_ascii_alphabetic()).take(300).collect())
    }

    fn summary(&self, name: &str, seed: u64, time: Duration) -> String {
        let rate = self.inputs as f64 / time.as_secs_f64();
        format!(
            "fuzz {name}: seed {seed}, {} inputs in {:.0} s ({rate:.0} per second), {} accepted, {} kinds of refusal, \
             at most {:.1} MB and {:.0} ms",
            self.inputs,
            time.as_secs_f64(),
            self.accepted,
            self.refusals.len(),
            self.memory as f64 / 1e6,
            self.slowest.as_secs_f64() * 1e3,
        )
    }
}

/// Measures how long this thread computes: where the system tells it (Linux) other programs do not count.
struct Clock {
    start: Instant,
    busy: Option<Duration>,
}

impl Clock {
    fn start() -> Self {
        Self { start: Instant::now(), busy: time_on_processor() }
    }

    fn elapsed(&self) -> Duration {
        let busy = self.busy.zip(time_on_processor());
        busy.map_or_else(|| self.start.elapsed(), |(before, now)| now.saturating_sub(before))
    }
}

/// Of this thread since it began.
fn time_on_processor() -> Option<Duration> {
    time_in(Path::new("/proc/thread-self/schedstat"))
}

/// The time that a thread's account (Linux) says it has been computing.
fn time_in(account: &Path) -> Option<Duration> {
    let text = fs::read_to_string(account).ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// Where other threads find this one's account.
fn account_of_this_thread() -> Option<PathBuf> {
    Some(Path::new("/proc").join(fs::read_link("/proc/thread-self").ok()?).join("schedstat"))
}

/// Waits until the worker ends, or is silent for too long; `busy` tells how long it has been computing.
fn wait(watched: &Receiver<()>, busy: impl Fn() -> Option<Duration>, hangs: impl Fn()) {
    let (mut answered, mut before) = (Instant::now(), busy());
    loop {
        match watched.recv_timeout(HANGS) {
            Ok(()) => (answered, before) = (Instant::now(), busy()),
            Err(RecvTimeoutError::Timeout) => {
                let computed = before.zip(busy()).map(|(before, now)| now.saturating_sub(before));
                if computed.is_none_or(|time| time >= HANGS) || answered.elapsed() >= SILENT {
                    return hangs();
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Writes past the test harness, which shows output of failed tests only.
fn tell(line: &str) {
    // A closed terminal is no fault of the reader's.
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::damage_bytes;

    fn generous(_: u64) -> u64 {
        1 << 20
    }

    /// What the search found, and the input that did it.
    fn failure(read: impl Fn(&Path) -> Result<(), String> + Send + 'static) -> (String, String) {
        let target = Target::new("test", "a.bin", generous, read);
        let run = || target.run(2000, vec![b"good file".to_vec()], damage_bytes);
        let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
        let Some((fault, rest)) = message(&*panic).split_once("\nthe input is ") else {
            return (message(&*panic).to_owned(), String::new());
        };
        let path = Path::new(rest.split(", seed").next().unwrap());
        let input = text(path);
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
        (fault.to_owned(), input)
    }

    fn text(path: &Path) -> String {
        String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
    }

    #[test]
    fn a_panic_is_found_and_its_input_kept() {
        let (fault, input) = failure(|path| {
            assert!(text(path).is_ascii(), "not ASCII");
            Ok(())
        });
        assert_eq!(fault, "test: a panic: not ASCII");
        assert!(!input.is_ascii());
    }

    #[test]
    fn too_much_memory_and_nameless_errors_are_found() {
        let (large, _) = failure(|path| {
            let size = if text(path).starts_with("good") { 10 } else { 1 << 21 };
            drop(std::hint::black_box(vec![1_u8; size]));
            Ok(())
        });
        assert!(large.contains(" bytes of memory, more than 1048576"), "{large}");
        let (nameless, _) =
            failure(|path| if text(path).len() == 9 { Ok(()) } else { Err("wrong length".into()) });
        assert!(nameless.contains("does not name the file: wrong length"), "{nameless}");
        let (refused, _) = failure(|path| Err(path.display().to_string()));
        assert!(refused.contains("a good file is refused"), "{refused}");
    }

    #[test]
    fn a_slow_reader_is_found() {
        let (slow, _) = failure(|path| {
            let long = if text(path).starts_with("good") { Duration::ZERO } else { LONGEST * 11 / 10 };
            let clock = Clock::start();
            while clock.elapsed() < long {}
            Ok(())
        });
        assert!(slow.contains("longer than 1s"), "{slow}");
    }
}
