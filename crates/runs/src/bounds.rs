//! Bounds of text that is read as TOML.

use toml_parser::Source;
use toml_parser::lexer::{Token, TokenKind as Kind};

/// Bytes of a text: the longest configs have some thousand, and reading takes up to two thousand times the memory.
const LONGEST: usize = 1 << 16;

/// Brackets that stand within each other; configs have two.
const MOST_BRACKETS: usize = 8;

/// Names of a key such as `optim.sgd.lr`.
const MOST_NAMES: usize = 16;

/// Refuses text that is longer or deeper than that of any config.
///
/// The parser calls itself for every open bracket, and so do its results for every name: a hostile text would overflow the stack.
/// Its own bound on open brackets does not hold for text such as `a = {{}b = {{}b = {{}b = …`.
///
/// # Errors
///
/// What is wrong, in which line; the text's file is not named.
pub fn check_toml(text: &str) -> Result<(), String> {
    if text.len() > LONGEST {
        return Err(format!("it has {} bytes; a config has at most {LONGEST}", text.len()));
    }
    let line = |token: &Token| 1 + text[..token.span().start()].matches('\n').count();
    let (mut open, mut names): (Vec<Token>, usize) = (Vec::new(), 1);
    for token in Source::new(text).lex() {
        let kind = token.kind();
        names = match kind {
            Kind::Dot => names + 1,
            Kind::Atom | Kind::Whitespace => names,
            _ if kind.encoding().is_some() => names,
            _ => 1,
        };
        match (open.last().map(Token::kind), kind) {
            (_, Kind::LeftCurlyBracket | Kind::LeftSquareBracket) => open.push(token),
            // A closing bracket of the other kind closes nothing: to the parser neither.
            (Some(Kind::LeftCurlyBracket), Kind::RightCurlyBracket)
            | (Some(Kind::LeftSquareBracket), Kind::RightSquareBracket) => _ = open.pop(),
            _ => {}
        }
        if open.len() > MOST_BRACKETS {
            let (here, first) = (line(&token), line(&open[0]));
            return Err(format!(
                "line {here}: more than {MOST_BRACKETS} brackets are open, the first of them since line {first}; close it"
            ));
        }
        if names > MOST_NAMES {
            return Err(format!("line {}: a key of more than {MOST_NAMES} names; use fewer", line(&token)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        check_toml(text).unwrap_err()
    }

    #[test]
    fn usual_text_is_none_too_deep() {
        let lines = "[a.b] # {{{{{{{{{\n\"{{{{{{{{{\" = [[1.5, 2], { c = '[[[[[[[[[' }]\nd = \"\"\"\n[[[[[[[[[\"\"\"\n";
        assert_eq!(check_toml(&lines.repeat(100)), Ok(()));
        assert_eq!(check_toml(&format!("a = {}{}", "[".repeat(8), "]".repeat(8))), Ok(()));
    }

    #[test]
    fn the_line_of_what_is_too_deep_is_told() {
        let open = error(&format!("a = 1\nb = {}", "[\n".repeat(9)));
        assert!(open.starts_with("line 10: more than 8 brackets") && open.contains("since line 2"), "{open}");
        assert!(error(&format!("{}= 1", "a . 'b'. ".repeat(9))).starts_with("line 1: a key of more than 16"));
        assert!(error(&"#\n".repeat(1 << 16)).contains("131072 bytes; a config has at most 65536"));
    }

    #[test]
    fn what_the_parser_loses_count_of_is_refused() {
        for part in ["{{}b=", "b=[}{{}{}b=],", "{b=[}{{}{}b=],", "{{[}b="] {
            assert!(error(&format!("a={}", part.repeat(1000))).contains("brackets are open"), "{part}");
        }
    }
}
