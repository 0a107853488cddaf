//! The predictions as an HTML page: one self-contained file.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use charloom_data::{EscapedChar, Vocab, atomic};
use charloom_infer::CharPrediction;

use super::shade::{Shade, shown, stand_in};
use super::{Predicted, Sums, char_of};
use crate::report::{Failure, Result};

/// The page. `{{title}}`, `{{legend}}`, `{{text}}` and `{{summary}}` are replaced.
const PAGE: &str = include_str!("page.html");

/// How a page of this command begins in every version of it. No other file is overwritten.
const BEGINNING: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"generator\" content=\"charloom predict\">\n";

/// Writes the page, atomically.
pub fn write(path: &Path, text: &str, model: &str, predicted: Predicted<'_>) -> Result<Sums> {
    if path.exists() && !is_page(path) {
        return Err(Failure::request(format!(
            "`{}` already exists and was not written by `predict`",
            path.display()
        ))
        .hint("`--html FILE` with another name leaves it unchanged"));
    }
    let failed = |error: io::Error| {
        Failure::work(format!("cannot write the page `{}`: {error}", path.display()))
    };
    // Created first, so that a page that can't be written fails before the text is predicted.
    let mut temp = atomic::create_temp(path).map_err(failed)?;
    let mut out = BufWriter::new(&mut temp);
    let vocab = predicted.vocab;
    let first = body(predicted.first);
    write!(out, "{}{first}", top(text, model)).map_err(failed)?;
    let sums = predicted.for_each(|char, prediction| {
        out.write_all(marked(vocab, char, prediction).as_bytes()).map_err(failed)
    })?;
    out.write_all(bottom(&sums).as_bytes()).and_then(|()| out.flush()).map_err(failed)?;
    drop(out);
    atomic::persist(temp, path).map_err(failed)?;
    Ok(sums)
}

/// Whether this command wrote the file.
fn is_page(path: &Path) -> bool {
    let mut start = vec![0; BEGINNING.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == BEGINNING.as_bytes()
}

/// The page before and after the text.
fn halves() -> (&'static str, &'static str) {
    PAGE.split_once("{{text}}").expect("the page has a place for the text")
}

fn top(text: &str, model: &str) -> String {
    let title = escaped(&format!("{text}: predictions of {model}"));
    let legend: String = Shade::ALL
        .map(|shade| format!("<i class=\"{}\">{}</i>", shade.class(), shade.about()))
        .concat();
    // The title last: a file's name may contain anything.
    halves().0.replace("{{legend}}", &legend).replace("{{title}}", &title)
}

fn bottom(sums: &Sums) -> String {
    halves().1.replace("{{summary}}", &escaped(&sums.line()))
}

/// A character as HTML, with its probability and the most likely characters in its title.
fn marked(vocab: &Vocab, char: char, prediction: &CharPrediction) -> String {
    let probability = prediction.log_prob.exp();
    let top: Vec<String> = (prediction.top.iter())
        .map(|other| format!("{} {}", named(char_of(vocab, other.id)), shown(other.probability)))
        .collect();
    let most_likely = if top.is_empty() { "" } else { ", most likely: " };
    let title = format!("{} {}{most_likely}{}", named(char), shown(probability), top.join(", "));
    let newline = if char == '\n' { " newline" } else { "" };
    format!(
        "<i class=\"{}{newline}\" title=\"{}\">{}</i>",
        Shade::of(probability).class(),
        escaped(&title),
        body(char)
    )
}

/// A character in backticks, escaped: spaces can't be seen in a title.
fn named(char: char) -> String {
    format!("`{}`", EscapedChar(char))
}

/// A character as HTML in the running text.
fn body(char: char) -> String {
    match char {
        '\n' | '\t' => char.to_string(),
        char => escaped(stand_in(char).unwrap_or(char).encode_utf8(&mut [0; 4])),
    }
}

/// `text` escaped for HTML text and for attributes in double quotes.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            char => safe.push(char),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use charloom_infer::CharProbability;

    #[test]
    fn text_and_names_are_escaped() {
        let vocab = Vocab::from_ordered(vec!['<', '"', '&']).unwrap();
        let likely = |id| CharProbability { id, probability: 0.25 };
        let prediction = CharPrediction {
            id: 0,
            log_prob: 0.25_f64.ln(),
            top: vec![likely(1), likely(2)],
            correct: false,
        };
        assert_eq!(
            marked(&vocab, '<', &prediction),
            "<i class=\"b\" title=\"`&lt;` 0.2500, most likely: `&quot;` 0.2500, `&amp;` 0.2500\">&lt;</i>"
        );
        let top = top("</title><script>{{legend}}.txt", "a&b");
        assert!(top.contains(
            "<title>&lt;/title&gt;&lt;script&gt;{{legend}}.txt: predictions of a&amp;b</title>"
        ));
    }

    #[test]
    fn newlines_are_marked_and_control_characters_are_visible() {
        let vocab = Vocab::from_ordered(vec!['\n', '\r']).unwrap();
        let prediction = CharPrediction { id: 0, log_prob: 0.0, top: Vec::new(), correct: true };
        assert_eq!(
            marked(&vocab, '\n', &prediction),
            "<i class=\"a newline\" title=\"`\\n` 1.0000\">\n</i>"
        );
        assert_eq!(body('\r'), "␍");
        assert_eq!(body('\0'), "␀");
    }

    #[test]
    fn the_page_is_self_contained() {
        let page = top("text.txt", "model") + &bottom(&Sums { chars: 1, nll: 0.5, correct: 1 });
        for word in ["http:", "https:", "src=", "href=", "url(", "@import"] {
            assert!(!page.contains(word), "{word}");
        }
        assert!(page.starts_with(BEGINNING));
        assert!(!page.contains("{{"), "{page}");
    }
}
