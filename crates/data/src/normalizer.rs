//! [`Normalizer`]: line ends and composed characters of a text that arrives in pieces.

use unicode_normalization::char::canonical_combining_class;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::text_format::{Newlines, Normalize, TextFormat};

/// Normalises a text that arrives in pieces, whatever the pieces are.
pub(crate) struct Normalizer {
    format: TextFormat,
    /// Whether the last piece ended with `\r`: a `\n` at the start of the next belongs to it.
    after_return: bool,
    /// The end of the text so far, which the next piece may change.
    held: String,
    /// The number of `\r` that became `\n`, or a part of one.
    pub returns: u64,
}

impl Normalizer {
    pub(crate) fn new(format: TextFormat) -> Self {
        Self { format, after_return: false, held: String::new(), returns: 0 }
    }

    /// Passes on what is certain after this piece.
    pub(crate) fn push(&mut self, piece: &str, take: &mut dyn FnMut(&str)) {
        match self.format.newlines {
            Newlines::Keep => self.compose(piece, take),
            Newlines::Universal => {
                let rest = match self.after_return {
                    true => piece.strip_prefix('\n').unwrap_or(piece),
                    false => piece,
                };
                self.after_return = rest.ends_with('\r') || piece.is_empty() && self.after_return;
                let returns = rest.bytes().filter(|&byte| byte == b'\r').count();
                self.returns += returns as u64;
                match returns {
                    0 => self.compose(rest, take),
                    _ => self.compose(&rest.replace("\r\n", "\n").replace('\r', "\n"), take),
                }
            }
        }
    }

    /// Passes on what was held back: the text ends.
    pub(crate) fn finish(&mut self, take: &mut dyn FnMut(&str)) {
        if !self.held.is_empty() {
            let composed: String = self.held.nfc().collect();
            take(&composed);
            self.held.clear();
        }
    }

    fn compose(&mut self, piece: &str, take: &mut dyn FnMut(&str)) {
        if self.format.normalize == Normalize::None {
            return take(piece);
        }
        self.held += piece;
        // What stands before such a character is not changed by it or by what follows.
        let is_boundary = |char: char| {
            canonical_combining_class(char) == 0
                && is_nfc_quick(std::iter::once(char)) == IsNormalized::Yes
        };
        let Some((end, _)) = self.held.char_indices().rfind(|&(_, char)| is_boundary(char)) else {
            return;
        };
        let certain = &self.held[..end];
        match is_nfc_quick(certain.chars()) {
            IsNormalized::Yes => take(certain),
            _ => take(&certain.nfc().collect::<String>()),
        }
        self.held.drain(..end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text normalised in pieces of `step` characters, and the number of `\r`.
    fn normalized(text: &str, format: TextFormat, step: usize) -> (String, u64) {
        let (mut normalizer, mut all) = (Normalizer::new(format), String::new());
        let chars: Vec<char> = text.chars().collect();
        for piece in chars.chunks(step) {
            let piece: String = piece.iter().collect();
            normalizer.push(&piece, &mut |text| all += text);
        }
        normalizer.finish(&mut |text| all += text);
        (all, normalizer.returns)
    }

    #[test]
    fn line_ends_become_newlines_wherever_the_pieces_end() {
        for step in 1..12 {
            let (text, returns) = normalized("a\r\nb\rc\n\r\r\nd\r", TextFormat::default(), step);
            assert_eq!((text.as_str(), returns), ("a\nb\nc\n\n\nd\n", 5), "{step}");
            let keep = TextFormat { newlines: Newlines::Keep, ..TextFormat::default() };
            assert_eq!(normalized("a\r\nb\r", keep, step), ("a\r\nb\r".to_owned(), 0));
        }
    }

    #[test]
    fn marks_are_composed_wherever_the_pieces_end() {
        let format = TextFormat { normalize: Normalize::Nfc, ..TextFormat::default() };
        // Marks, several of them, in an order that is not canonical, and the parts of a Korean syllable.
        let text = "Cafe\u{301}, a\u{323}\u{302}z q\u{307}\u{323} \u{1112}\u{1161}\u{11ab}\u{301}";
        let whole: String = text.nfc().collect();
        assert!(whole.contains("Café, ậz"));
        for step in 1..text.chars().count() + 1 {
            assert_eq!(normalized(text, format, step).0, whole, "{step}");
        }
        let mark = normalized("\u{301}e", format, 1).0;
        assert_eq!(mark, "\u{301}e");
    }
}
