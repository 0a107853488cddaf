//! What Project Gutenberg puts before and after a book.

use std::ops::Range;

use crate::corpus::Corpus;
use crate::marks::END_MARK;

/// Characters at either end in which its lines are looked for: its licence has about 19,000.
const SEARCHED: usize = 60_000;

/// Starts of the last line before a book.
const BEFORE: [&str; 2] = ["*** START OF", "***START OF"];
/// Starts of the first line after a book.
const AFTER: [&str; 4] =
    ["*** END OF", "***END OF", "End of the Project Gutenberg", "End of Project Gutenberg"];

/// The characters of the book itself, if Project Gutenberg's lines stand before or after it.
pub(crate) fn book(corpus: &Corpus) -> Option<Range<usize>> {
    let (ids, vocab) = (corpus.ids(), corpus.vocab());
    let start = ids.len().min(SEARCHED);
    let head: Vec<char> = vocab.decode(&ids.slice(0..start)).chars().collect();
    let last = ids.len().saturating_sub(SEARCHED);
    let tail: Vec<char> = vocab.decode(&ids.slice(last..ids.len())).chars().collect();
    let is_end = |char: &char| ['\n', END_MARK].contains(char);
    let before = line_start(&head, &BEFORE).map(|at| {
        let length = head[at..].iter().position(is_end).map_or(head.len() - at, |end| end + 1);
        at + length
    });
    let after = line_start(&tail, &AFTER).map(|at| last + at);
    if before.is_none() && after.is_none() {
        return None;
    }
    let range = before.unwrap_or(0)..after.unwrap_or(ids.len());
    // Both may be of a text about them.
    (range.start < range.end).then_some(range)
}

/// Where the first line begins that starts in one of these ways.
fn line_start(text: &[char], starts: &[&str]) -> Option<usize> {
    let begins = |at: usize| {
        starts.iter().any(|start| text[at..].iter().copied().take(start.len()).eq(start.chars()))
    };
    (0..text.len())
        .filter(|&at| at == 0 || ['\n', END_MARK].contains(&text[at - 1]))
        .find(|&at| begins(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> Option<String> {
        let corpus = Corpus::from_text(text).unwrap();
        Some(corpus.vocab().decode(&corpus.ids().slice(book(&corpus)?)))
    }

    #[test]
    fn the_book_stands_between_its_lines() {
        let (before, after) = (
            "The Project Gutenberg EBook\n\n*** START OF THIS PROJECT GUTENBERG EBOOK ANNA ***\n",
            "*** END OF THIS PROJECT GUTENBERG EBOOK ANNA ***\nThe licence.\n",
        );
        let book = "Happy families *** END OF\n are all alike.\n";
        assert_eq!(body(&format!("{before}{book}{after}")).as_deref(), Some(book));
        assert_eq!(body(&format!("{before}{book}")).as_deref(), Some(book));
        assert_eq!(body(&format!("{book}{after}")).as_deref(), Some(book));
        assert_eq!(body(book), None);
        assert_eq!(body(&format!("{after}{before}")), None);
    }
}
