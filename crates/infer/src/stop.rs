//! [`StopSequence`]: ends a text before a given string, which arrives one character at a time.

/// Passes characters on until the stop sequence is complete.
///
/// Characters that may be its beginning are held back until the next ones decide (Knuth, Morris and
/// Pratt 1977: what is held back is always the longest possible prefix, so `aab` is found in `aaab`).
#[derive(Clone, Debug, Default)]
pub(crate) struct StopSequence {
    text: Vec<char>,
    /// The failure function: for each prefix of `text`, the length of the longest proper prefix that is
    /// also its suffix.
    borders: Vec<usize>,
    /// Number of characters of `text` that have arrived and are held back.
    held: usize,
}

impl StopSequence {
    /// An empty sequence never ends a text.
    pub(crate) fn new(text: &str) -> Self {
        let text: Vec<char> = text.chars().collect();
        let mut borders = vec![0; text.len()];
        for end in 1..text.len() {
            borders[end] = extended(&text, &borders, borders[end - 1], text[end]);
        }
        Self { text, borders, held: 0 }
    }

    /// Takes the next character and passes on those that need not be held back any longer. Returns whether
    /// the stop sequence is complete; it isn't passed on itself.
    pub(crate) fn push(&mut self, next: char, out: &mut impl FnMut(char)) -> bool {
        if self.text.is_empty() {
            out(next);
            return false;
        }
        let before = self.held;
        self.held = extended(&self.text, &self.borders, before, next);
        let arrived = self.text[..before].iter().copied().chain([next]);
        arrived.take(before + 1 - self.held).for_each(out);
        let complete = self.held == self.text.len();
        if complete {
            self.held = 0;
        }
        complete
    }

    /// Passes on what is held back: no more characters follow.
    pub(crate) fn finish(&mut self, out: &mut impl FnMut(char)) {
        self.text[..self.held].iter().copied().for_each(out);
        self.held = 0;
    }
}

/// How much of `text` has arrived when `next` follows `held` characters of it.
fn extended(text: &[char], borders: &[usize], mut held: usize, next: char) -> usize {
    while held > 0 && text[held] != next {
        held = borders[held - 1];
    }
    if text[held] == next { held + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is passed on after each character and at the end, and whether the stop sequence was found.
    fn pieces(stop: &str, text: &str) -> (Vec<String>, bool) {
        let mut stop = StopSequence::new(stop);
        let mut pieces = Vec::new();
        for char in text.chars() {
            let mut piece = String::new();
            let complete = stop.push(char, &mut |char| piece.push(char));
            pieces.push(piece);
            if complete {
                return (pieces, true);
            }
        }
        let mut piece = String::new();
        stop.finish(&mut |char| piece.push(char));
        pieces.push(piece);
        (pieces, false)
    }

    #[test]
    fn characters_are_held_back_only_while_they_may_begin_the_stop_sequence() {
        let (pieces, found) = pieces("end", "an en end!");
        assert_eq!(pieces, ["a", "n", " ", "", "", "en ", "", "", ""]);
        assert!(found);
    }

    #[test]
    fn what_is_held_back_at_the_end_is_passed_on() {
        assert_eq!(
            pieces("end", "the en"),
            (["t", "h", "", "e ", "", "", "en"].map(String::from).to_vec(), false)
        );
    }

    #[test]
    fn an_empty_stop_sequence_passes_everything_on() {
        assert_eq!(pieces("", "ab"), (["a", "b", ""].map(String::from).to_vec(), false));
    }

    /// All texts of a's and b's up to length 8, against a search of the whole text.
    #[test]
    fn the_first_occurrence_ends_the_text_wherever_it_straddles() {
        for stop in ["a", "ab", "aa", "aab", "aba", "abab", "aabaa"] {
            for bits in 0..1u32 << 8 {
                for length in 0..=8 {
                    let text: String =
                        (0..length).map(|i| if bits >> i & 1 == 0 { 'a' } else { 'b' }).collect();
                    let expected = text.find(stop).map_or(text.as_str(), |at| &text[..at]);
                    let (pieces, found) = pieces(stop, &text);
                    assert_eq!(pieces.concat(), expected, "`{stop}` in `{text}`");
                    assert_eq!(found, text.contains(stop));
                }
            }
        }
    }
}
