//! Lists of characters in output.

use std::fmt::Write;

use charloom_data::EscapedChar;

/// The first `most` characters, in backticks and escaped, and how many more there are.
pub fn char_list(chars: &[char], most: usize) -> String {
    let mut text = String::new();
    for (index, &char) in chars.iter().take(most).enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        _ = write!(text, "{comma}`{}`", EscapedChar(char));
    }
    if chars.len() > most {
        _ = write!(text, " and {} more", chars.len() - most);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_ends_with_the_number_of_omitted_characters() {
        assert_eq!(char_list(&['a', '\n'], 2), r"`a`, `\n`");
        assert_eq!(char_list(&['a', '\n', 'c', 'd'], 2), r"`a`, `\n` and 2 more");
        assert_eq!(char_list(&[], 2), "");
    }
}
