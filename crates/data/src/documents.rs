//! [`DocumentMarker`]: ends the documents of a text with a mark.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::marks::END_MARK;

/// What the documents of a text are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Documents {
    /// The text is one.
    #[default]
    None,
    /// Each line, without its end; empty lines are left out.
    Lines,
    /// Each file.
    Files,
    /// What stands between blank lines, as stanzas and recipes do.
    BlankLines,
}

/// Puts an [`END_MARK`] after each document of a file that arrives in pieces.
pub(crate) struct DocumentMarker {
    documents: Documents,
    /// Whether the document has characters so far.
    started: bool,
    /// Line ends since the last character that isn't a blank.
    line_ends: usize,
    /// Blanks since the last line end, which may be all that the line has.
    blanks: String,
}

impl DocumentMarker {
    pub(crate) fn new(documents: Documents) -> Self {
        Self { documents, started: false, line_ends: 0, blanks: String::new() }
    }

    /// Passes on the text that is certain after this piece.
    pub(crate) fn push(&mut self, piece: &str, take: &mut dyn FnMut(&str)) {
        match self.documents {
            Documents::None => take(piece),
            Documents::Files => {
                self.started |= !piece.is_empty();
                take(piece);
            }
            Documents::Lines => {
                let mut marked = String::with_capacity(piece.len());
                for char in piece.chars() {
                    match char {
                        '\n' if self.started => {
                            marked.push(END_MARK);
                            self.started = false;
                        }
                        '\n' => {}
                        char => {
                            marked.push(char);
                            self.started = true;
                        }
                    }
                }
                take(&marked);
            }
            Documents::BlankLines => {
                let mut marked = String::with_capacity(piece.len());
                piece.chars().for_each(|char| self.push_char(char, &mut marked));
                take(&marked);
            }
        }
    }

    /// A character of a text whose documents are divided by blank lines.
    fn push_char(&mut self, char: char, marked: &mut String) {
        match char {
            '\n' => {
                self.line_ends += 1;
                self.blanks.clear();
            }
            ' ' | '\t' if self.line_ends > 0 || !self.started => self.blanks.push(char),
            char => {
                match (self.started, self.line_ends) {
                    (false, _) | (true, 0) => {}
                    (true, 1) => marked.push('\n'),
                    (true, _) => marked.push(END_MARK),
                }
                *marked += &self.blanks;
                marked.push(char);
                self.blanks.clear();
                (self.started, self.line_ends) = (true, 0);
            }
        }
    }

    /// Ends the last document of the file.
    pub(crate) fn finish(self, take: &mut dyn FnMut(&str)) {
        if self.documents != Documents::None && self.started {
            take(END_MARK.encode_utf8(&mut [0; 4]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with `|` for each mark, read in pieces of `step` characters.
    fn marked(documents: Documents, text: &str, step: usize) -> String {
        let (mut marker, mut all) = (DocumentMarker::new(documents), String::new());
        let chars: Vec<char> = text.chars().collect();
        for piece in chars.chunks(step) {
            let piece: String = piece.iter().collect();
            marker.push(&piece, &mut |text| all += text);
        }
        marker.finish(&mut |text| all += text);
        all.replace(END_MARK, "|")
    }

    #[test]
    fn documents_end_with_a_mark_wherever_the_pieces_end() {
        for step in 1..9 {
            let lines = |text| marked(Documents::Lines, text, step);
            assert_eq!(lines("Emma\nOlivia\n\n Ava"), "Emma|Olivia| Ava|");
            assert_eq!(lines("\n\nEmma\n"), "Emma|");
            assert_eq!(lines(""), "");
            let blank = |text| marked(Documents::BlankLines, text, step);
            assert_eq!(blank("a\n b\n\n\nc\n \t\n d\n\n"), "a\n b|c| d|");
            assert_eq!(blank("\n\n  a  b \n"), "  a  b |");
            assert_eq!(marked(Documents::Files, "a\n\nb\n", step), "a\n\nb\n|");
            assert_eq!(marked(Documents::None, "a\n\nb\n", step), "a\n\nb\n");
        }
    }
}
