//! House rules that one source file can break.

/// Longest function, in lines from its `fn` to its closing brace.
const LONGEST_FUNCTION: usize = 70;

/// What must not stand in a file, where it may, and why.
struct Ban {
    words: &'static [&'static str],
    allowed: &'static [&'static str],
    why: &'static str,
}

const BANS: [Ban; 6] = [
    Ban {
        words: &["println!(", "print!(", "eprintln!(", "eprint!("],
        allowed: &[
            "crates/experiments/",
            "xtask/",
            "crates/kernels/compile.rs",
            "crates/kernels/src/emulation.rs",
        ],
        why: "only the binaries print",
    },
    Ban {
        words: &["std::env::args", "anyhow::"],
        allowed: &["crates/experiments/", "xtask/"],
        why: "only the binaries read arguments and use anyhow",
    },
    Ban {
        words: &["std::fs", "File::open", "File::create", "OpenOptions"],
        allowed: &[
            "crates/data/",
            "crates/runs/",
            "crates/experiments/",
            "crates/fuzz/",
            "crates/tensors/src/testing.rs",
            "crates/kernels/compile.rs",
            "crates/kernels/src/emulation.rs",
            "xtask/",
        ],
        why: "only data and runs touch data and result files",
    },
    Ban {
        words: &["unsafe {", "unsafe fn", "unsafe impl"],
        allowed: &["crates/kernels/", "crates/tensors/", "crates/crf/"],
        why: "only kernels, tensors and crf hold unsafe code",
    },
    Ban {
        words: &[
            "rand::rng()",
            "thread_rng",
            "from_os_rng",
            "from_entropy",
            "Tensor::rand(",
            "Tensor::randn(",
        ],
        allowed: &[],
        why: "no randomness without a seed",
    },
    Ban {
        words: &["thread_local!", "lazy_static!"],
        allowed: &["crates/tensors/"],
        why: "no global state (tensors keeps scratch memory per thread)",
    },
];

/// Every broken rule of one file; `path` is relative to the root, with forward slashes.
pub(crate) fn violations(path: &str, text: &str) -> Vec<String> {
    let mut found = long_functions(path, text);
    found.extend(lax_configs(path, text));
    let may_be_unsafe =
        ["kernels", "tensors", "crf"].iter().any(|name| path == format!("crates/{name}/src/lib.rs"));
    if path.ends_with("src/lib.rs") && !may_be_unsafe {
        found.extend(
            (!text.contains("#![forbid(unsafe_code)]"))
                .then(|| format!("{path}: #![forbid(unsafe_code)] is missing")),
        );
    }
    for (number, line) in code_lines(path, text) {
        let global = is_changing_static(line) && !path.starts_with("crates/tensors/");
        found.extend(global.then(|| format!("{path}:{number}: no global state")));
        for ban in BANS.iter().filter(|ban| !ban.allowed.iter().any(|place| path.starts_with(place))) {
            for word in ban.words.iter().filter(|word| line.contains(**word)) {
                found.push(format!(
                    "{path}:{number}: `{}`: {}",
                    word.trim_end_matches(['(', '{', ' ']),
                    ban.why
                ));
            }
        }
    }
    found
}

/// Whether a line declares a `static` that can change.
fn is_changing_static(line: &str) -> bool {
    let item = line.trim_start();
    let item = item.strip_prefix("pub(crate) ").or(item.strip_prefix("pub ")).unwrap_or(item);
    item.starts_with("static ")
        && ["mut ", "Lock<", "Mutex<", "Atomic", "Cell<"].iter().any(|word| item.contains(word))
}

/// Lines that are neither comments nor tests, with their numbers.
fn code_lines<'a>(path: &str, text: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    let test_file = path.contains("/tests/")
        || path.contains("/benches/")
        || path.ends_with("tests.rs")
        || path.ends_with("xtask/src/source.rs");
    text.lines()
        .enumerate()
        .take_while(move |(_, line)| !test_file && !line.contains("#[cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(index, line)| (index + 1, line))
}

/// Functions that do not fit on a screen.
fn long_functions(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<(usize, usize)> = None; // indentation, first line
    for (index, line) in text.lines().enumerate() {
        let indentation = line.len() - line.trim_start().len();
        match open {
            None if starts_function(line) && !line.trim_end().ends_with(['}', ';']) => {
                open = Some((indentation, index))
            }
            Some((outer, first)) if line.trim() == "}" && indentation == outer => {
                let length = index - first + 1;
                if length > LONGEST_FUNCTION {
                    found.push(format!(
                        "{path}:{}: function of {length} lines, at most {LONGEST_FUNCTION}",
                        first + 1
                    ));
                }
                open = None;
            }
            _ => {}
        }
    }
    found
}

fn starts_function(line: &str) -> bool {
    let line = line.trim_start();
    let line = line
        .strip_prefix("pub(crate) ")
        .or(line.strip_prefix("pub(super) "))
        .or(line.strip_prefix("pub "))
        .unwrap_or(line);
    let line = line.strip_prefix("const ").unwrap_or(line);
    line.strip_prefix("unsafe ").unwrap_or(line).starts_with("fn ")
}

/// Structs that read a config but let unknown keys pass.
fn lax_configs(path: &str, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let derives = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| line.trim_start().starts_with("#[derive(") && line.contains("Deserialize"));
    derives
        .filter_map(|(index, _)| {
            let attributes: Vec<&&str> =
                lines[index..].iter().take_while(|line| line.trim_start().starts_with(['#', '/'])).collect();
            let item = lines.get(index + attributes.len())?;
            let lax = item.contains("struct ")
                && !attributes.iter().any(|line| line.contains("deny_unknown_fields"));
            lax.then(|| format!("{path}:{}: a config must `deny_unknown_fields`", index + 1))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bans_hold_where_they_should() {
        assert_eq!(violations("crates/heads/src/x.rs", "println!(\"a\");\n").len(), 1);
        assert_eq!(violations("crates/heads/src/x.rs", "unsafe { a() }\n").len(), 1);
        assert_eq!(violations("crates/losses/src/x.rs", "let f = std::fs::read(p);\n").len(), 1);
        assert_eq!(violations("crates/data/src/x.rs", "let r = rand::rng();\n").len(), 1);
        assert_eq!(
            violations("crates/runs/src/x.rs", "static CACHE: OnceLock<u8> = OnceLock::new();\n").len(),
            1
        );
        assert!(violations("crates/runs/src/x.rs", "    cache: OnceLock<u8>,\n").is_empty());
        assert!(violations("crates/tensors/src/x.rs", "unsafe { a() }\n").is_empty());
        assert!(violations("crates/experiments/src/x.rs", "println!(\"a\");\n").is_empty());
        assert!(violations("crates/heads/src/x.rs", "// println!(\n#[cfg(test)]\nprintln!(\n").is_empty());
    }

    #[test]
    fn a_long_function_is_found() {
        let text = format!("    pub fn long() {{\n{}    }}\n", "        a();\n".repeat(LONGEST_FUNCTION));
        assert_eq!(violations("crates/heads/src/x.rs", &text).len(), 1);
        assert!(violations("crates/heads/src/x.rs", "fn short() {\n    a();\n}\n").is_empty());
    }

    #[test]
    fn a_lax_config_is_found() {
        assert_eq!(
            violations("crates/heads/src/x.rs", "#[derive(Debug, Deserialize)]\npub struct Config {\n}\n")
                .len(),
            1
        );
        let strict = "#[derive(Debug, Deserialize)]\n#[serde(deny_unknown_fields)]\npub struct Config {\n}\n";
        assert!(violations("crates/heads/src/x.rs", strict).is_empty());
    }

    #[test]
    fn a_library_must_forbid_unsafe_code() {
        assert_eq!(violations("crates/heads/src/lib.rs", "//! heads\n").len(), 1);
    }
}
