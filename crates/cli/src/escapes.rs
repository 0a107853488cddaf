//! Characters that are hard to type: `\n` and the like, wherever a text is given on the command line.

use crate::report::{Failure, Result};

/// `typed` with `\n`, `\r`, `\t`, `\\` and `\u{…}` replaced by the characters that they stand for.
///
/// # Errors
/// If a backslash is followed by anything else; `place` says where it was typed.
pub fn unescaped(place: &str, typed: &str) -> Result<String> {
    let mut text = String::new();
    let mut rest = typed.chars();
    while let Some(char) = rest.next() {
        if char != '\\' {
            text.push(char);
            continue;
        }
        match rest.next() {
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some('\\') => text.push('\\'),
            Some('u') => {
                let digits = rest.as_str().strip_prefix('{').and_then(|rest| rest.split_once('}'));
                let char = digits.and_then(|(digits, after)| {
                    let code = u32::from_str_radix(digits, 16).ok()?;
                    Some((char::from_u32(code)?, after))
                });
                let Some((char, after)) = char else { return Err(unknown(place, r"\u", typed)) };
                text.push(char);
                rest = after.chars();
            }
            Some(other) => return Err(unknown(place, &format!(r"\{other}"), typed)),
            None => return Err(unknown(place, r"\", typed)),
        }
    }
    Ok(text)
}

fn unknown(place: &str, escape: &str, typed: &str) -> Failure {
    Failure::request(format!("{place}: unknown escape `{escape}` in `{typed}`"))
        .hint(r"`\n`, `\r`, `\t`, `\u{e9}` and `\\` are known; `\\` is a backslash itself")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_stand_for_characters() {
        for (typed, text) in [
            (r"\n", "\n"),
            (r"a\tb\r\n", "a\tb\r\n"),
            (r"\\n", r"\n"),
            (r"caf\u{e9} \u{1F980}!", "café 🦀!"),
            ("é", "é"),
            ("", ""),
        ] {
            assert_eq!(unescaped("`--stop`", typed).unwrap(), text);
        }
    }

    #[test]
    fn any_other_escape_is_refused() {
        for typed in [r"\x", r"end\", r"\u00e9", r"\u{d800}", r"\u{", r"\u{g}"] {
            assert!(unescaped("`--stop`", typed).is_err(), "{typed}");
        }
    }
}
