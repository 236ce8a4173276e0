//! Runs that are killed, stopped and starved, and end with the weights of the run that was left alone.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::{Place, TINY, entries, error};

/// Kills of the ordinary test; `cargo xtask check --torture N` sets another number.
const KILLS: usize = 100;

/// Optimizers and schedules beside those of the tiny config.
const OPTIMIZERS: [&str; 3] = [
    "[optim.adam]\nlr = 0.01\nbetas = [0.9, 0.999]\neps = 1e-8\nweight-decay = 1e-4\n",
    "[optim.adamw]\nlr = 0.01\nbetas = [0.9, 0.999]\neps = 1e-8\nweight-decay = 1e-2\n",
    "[optim.sgd]\nlr = 0.01\nmomentum = 0.9\nweight-decay = 5e-4\nnesterov = true\n",
];

fn hash(file: &Path) -> String {
    let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn weights(place: &Place) -> String {
    hash(&place.only_run().join("checkpoints/last.safetensors"))
}

/// Weights, and the rows that do not depend on the clock.
fn traces(place: &Place) -> [String; 3] {
    let run = place.only_run();
    ["checkpoints/last.safetensors", "log.tsv", "epochs.tsv"].map(|file| hash(&run.join(file)))
}

fn start(place: &Place, arguments: &[&str]) -> Child {
    place.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// A stream of numbers in 0..1 that a test can repeat.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Whether a checkpoint is being written, or was when its process was killed.
fn half_a_save(place: &Place) -> bool {
    let names = std::fs::read_dir(place.only_run().join("checkpoints")).into_iter().flatten().flatten();
    names.into_iter().any(|entry| entry.file_name().to_string_lossy().ends_with(".partial"))
}

/// Whether there is such a run yet.
fn has_run(place: &Place, is_so: impl Fn(&Path) -> bool) -> bool {
    let runs = std::fs::read_dir(place.path("runs/tiny")).into_iter().flatten().flatten();
    runs.into_iter().any(|run| is_so(&run.path()))
}

/// Waits until `is_so`, the child has ended or the time is over.
fn wait(child: &mut Child, time: Duration, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() && begun.elapsed() < time && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_micros(100));
    }
}

#[test]
fn a_run_killed_at_random_moments_ends_with_the_same_weights() {
    let kills = std::env::var("SCONCE_TORTURE").map_or(KILLS, |number| number.parse().unwrap());
    // Of three steps each: between two kills a fast machine does two steps.
    let epochs = (kills * 3 / 2).max(20);
    let change = |text: String| {
        text.replace("epochs = 2", &format!("epochs = {epochs}"))
            .replace("histograms-every = 2", "histograms-every = 0")
    };
    let (straight, tortured) = (Place::with(change), Place::with(change));
    straight.run(&["train", "tiny"]);
    let mut dice = Dice(7);
    let (mut killed, mut within_saves, mut finished) = (0, 0, 0);
    while killed < kills {
        let arguments: &[&str] = if tortured.path("runs").exists() {
            &["train", "tiny", "--resume", "--save-every", "1step", "--keep-every", "7"]
        } else {
            &["train", "tiny", "--save-every", "1step", "--keep-every", "7"]
        };
        let mut child = start(&tortured, arguments);
        // Before there is a config, another run would begin.
        wait(&mut child, Duration::from_secs(60), || {
            has_run(&tortured, |run| run.join("config.toml").exists())
        });
        let moment = Duration::from_secs_f64(0.2 * dice.roll());
        std::thread::sleep(moment);
        if killed % 2 == 1 {
            wait(&mut child, Duration::from_millis(200), || half_a_save(&tortured));
        }
        child.kill().unwrap();
        finished += usize::from(child.wait().unwrap().success());
        killed += 1;
        within_saves += usize::from(half_a_save(&tortured));
        if finished > 0 {
            break;
        }
    }
    println!("{killed} kills, {within_saves} of them within a save");
    tortured.run(&["train", "tiny", "--resume", "--keep-every", "7"]);
    assert!(within_saves > 0, "no kill met a save");
    assert_eq!(killed, kills, "the run ended before it had been killed often enough");
    assert_eq!(traces(&tortured), traces(&straight));
    let kept = format!("checkpoints/epoch-{}.safetensors", epochs / 7 * 7);
    assert!(tortured.only_run().join(kept).is_file());
}

#[test]
fn a_run_saved_at_any_step_goes_on_with_every_optimizer() {
    for optimizer in OPTIMIZERS {
        let change = |text: String| {
            let (start, end) = (text.find("[optim.sgd]").unwrap(), text.find("[schedule.poly]").unwrap());
            [&text[..start], optimizer, "\n", &text[end..]].concat()
        };
        assert_resumes(change);
    }
}

#[test]
fn a_run_saved_at_any_step_goes_on_with_every_schedule() {
    let schedules = [
        "[schedule.constant]\n",
        "[schedule.step]\nevery = 2\ngamma = 0.5\n",
        "[schedule.cosine]\nmin-factor = 0.01\n",
        "[schedule.plateau]\nmode = \"max\"\nfactor = 0.5\npatience = 0\nthreshold = 0.0\ncooldown = 0\nmin-factor = 0.01\n",
    ];
    for schedule in schedules {
        assert_resumes(|text| {
            let (start, end) = (text.find("[schedule.poly]").unwrap(), text.find("[log]").unwrap());
            [&text[..start], schedule, "\n", &text[end..]].concat()
        });
    }
}

/// Stops a run after three of its six steps and compares it with one that was not stopped.
fn assert_resumes(change: impl Fn(String) -> String) {
    let (straight, stopped) = (Place::with(&change), Place::with(&change));
    straight.run(&["train", "tiny"]);
    stopped.run(&["train", "tiny", "--stop-after", "4"]);
    let printed = stopped.run(&["train", "tiny", "--resume"]);
    assert!(printed.contains("resumed     after step 4"), "{printed}");
    assert_eq!(traces(&stopped), traces(&straight), "{}", change(TINY.to_owned()));
}

#[test]
fn a_second_interrupt_stops_at_once() {
    // Steps of seconds, so that the second interrupt meets the step that the first one lets end.
    let place = Place::with(|text| {
        let large = text.replace("size = 32", "size = 160").replace("[32, 32]", "[160, 160]");
        large.replace("epochs = 2", "epochs = 10000").replace("batch = 4", "batch = 12")
    });
    let mut command = place.command(&["train", "tiny"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait(&mut child, Duration::from_secs(120), || {
        let has_steps = |log: String| log.lines().count() > 1;
        has_run(&place, |run| std::fs::read_to_string(run.join("log.tsv")).is_ok_and(has_steps))
    });
    let id = child.id().to_string();
    let interrupt = || assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    interrupt();
    let mut line = String::new();
    let mut messages = BufReader::new(child.stderr.take().unwrap());
    while !line.contains("Ctrl-C again stops at once") {
        line.clear();
        assert!(messages.read_line(&mut line).unwrap() > 0, "the first interrupt was not answered");
    }
    interrupt();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!place.only_run().join("checkpoints/last.safetensors").exists());
}

#[test]
fn a_full_disk_ends_the_run_and_leaves_every_checkpoint_whole() {
    let place = Place::with(|text| text.replace("epochs = 2", "epochs = 200"));
    std::fs::create_dir(place.path("disk")).unwrap();
    // A file system of 2 MiB in a namespace of its own. What it holds at the end is copied out of it.
    let script = "mount -t tmpfs -o size=2m tmpfs disk || exit 77; \
        \"$0\" train tiny --runs disk --save-every 1step --keep-every 1; code=$?; cp -r disk runs; exit $code";
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_sconce")])
        .current_dir(place.path(""))
        .output();
    let output = match output {
        Ok(output) if output.status.code() != Some(77) && !error(&output).contains("unshare failed") => {
            output
        }
        _ => return eprintln!("skipped: this system lets nobody mount a file system of his own"),
    };
    let message = error(&output);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(
        message.contains("disk") && message.contains("full") && !message.contains("panicked"),
        "{message}"
    );
    let checkpoints = entries(&place.only_run().join("checkpoints"));
    assert!(checkpoints.len() > 2, "{checkpoints:?}");
    for checkpoint in checkpoints {
        assert!(!checkpoint.to_string_lossy().ends_with(".partial"), "{checkpoint:?}");
        place.run(&["eval", "tiny", "--checkpoint", checkpoint.to_str().unwrap()]);
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let (first, second) = (Place::new(), Place::new());
    first.run(&["train", "tiny"]);
    second.run(&["train", "tiny"]);
    assert_eq!(weights(&first), weights(&second));
    let run = first.only_run();
    let printed = first.run(&["repro", run.to_str().unwrap()]);
    assert!(printed.contains("the same weights"), "{printed}");
    let config = std::fs::read_to_string(run.join("config.toml")).unwrap();
    std::fs::write(run.join("config.toml"), config.replace("seed = 3\nepochs", "seed = 4\nepochs")).unwrap();
    let message = first.fails(&["repro", run.to_str().unwrap(), "--out", "other"]);
    assert!(message.contains("the runs differ: log.tsv parts at step 1:"), "{message}");
}

#[test]
fn an_unfinished_run_is_repeated_to_where_it_stopped() {
    let place = Place::new();
    place.run(&["train", "tiny", "--stop-after", "4"]);
    let printed = place.run(&["repro", place.only_run().to_str().unwrap()]);
    assert!(printed.contains("again       4 steps") && printed.contains("the same weights"), "{printed}");
}
