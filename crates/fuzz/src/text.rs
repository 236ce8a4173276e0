//! Damage to text: words, signs and lines change places.

use crate::{Random, damage_bytes};

/// What stands in text that somebody wrote to do harm.
const WORDS: [&str; 28] = [
    "0",
    "-1",
    "1",
    "255",
    "65536",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "1e999",
    "-1e-999",
    "nan",
    "inf",
    "true",
    "null",
    "''",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "[",
    "]",
    "{",
    "}",
    "\n",
    "\0",
    "\u{feff}",
    "𝄞",
];

/// A word repeated more often than this would only be a longer file.
const MOST_REPEATS: usize = 5000;

/// One change: a word or line goes, comes twice or many times, changes places with another, comes from `other` or is one of
/// `words` or of those that are hard to read in any format. Now and then a change of bytes.
pub fn damage_text(random: &mut Random, base: &[u8], other: &[u8], words: &[&str]) -> Vec<u8> {
    if base.is_empty() || random.one_in(10) {
        return damage_bytes(random, base, other);
    }
    let (base, other) = (String::from_utf8_lossy(base), String::from_utf8_lossy(other));
    let by_line = random.one_in(4);
    let split = |text| if by_line { lines(text) } else { tokens(text) };
    let mut pieces = split(&base);
    let (at, to) = (random.below(pieces.len()), random.below(pieces.len()));
    let mut from = vec![*random.pick(&WORDS)];
    from.extend(words);
    from.extend(split(&other));
    match random.below(7) {
        0 => pieces.swap(at, to),
        1 => drop(pieces.remove(at)),
        2 => pieces.insert(to, pieces[at]),
        3 => pieces[at] = *random.pick(&WORDS),
        4 => pieces[at] = *random.pick(&from),
        5 => pieces.insert(at, *random.pick(&from)),
        _ => {
            let part = pieces[at..(at + 1 + random.below(3)).min(pieces.len())].to_vec();
            pieces.splice(at..at, part.repeat(random.below(MOST_REPEATS)));
        }
    }
    pieces.concat().into_bytes()
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// Words of letters, digits and underscores, and single other characters.
fn tokens(text: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end =
            if is_word(first) { rest.find(|c| !is_word(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
        let (token, tail) = rest.split_at(end);
        tokens.push(token);
        rest = tail;
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_into_words_and_signs() {
        assert_eq!(tokens("lr = 0.5 # é_1"), ["lr", " ", "=", " ", "0", ".", "5", " ", "#", " ", "é_1"]);
        assert_eq!(lines("a\n\nb"), ["a\n", "\n", "b"]);
    }

    #[test]
    fn words_of_the_format_come_into_the_text() {
        let mut random = Random::new(1);
        let damaged = (0..300).map(|_| damage_text(&mut random, b"a = 1\nb = 2\n", b"", &["momentum"]));
        assert!(damaged.filter(|bytes| bytes.windows(8).any(|part| part == b"momentum")).count() > 20);
        assert_eq!(damage_text(&mut random, b"", b"", &[]), b"");
    }
}
