//! The predictions as a page for the browser: one file that needs no other.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use charloom_data::{EscapedChar, Vocab, atomic};
use charloom_infer::CharPrediction;

use super::shade::{Shade, shown, stand_in};
use super::{Predicted, Sums, char_of};
use crate::report::{Failure, Result};

/// How a page of this command begins, whatever version wrote it. No other file is replaced.
const BEGINNING: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"generator\" content=\"charloom predict\">\n";

const STYLE: &str = "\
:root { color-scheme: light dark; --a: #9be29b; --b: #d3f2c4; --c: #fdf3b0; --d: #fbcf9d; --e: #f79a8f; }
@media (prefers-color-scheme: dark) {
  :root { --a: #1d6b2f; --b: #2f4f25; --c: #5a4f10; --d: #7a4310; --e: #94251d; }
}
body { display: flex; flex-direction: column; max-width: 60rem; margin: 0 auto; padding: 1rem 1rem 4rem;
  font-family: system-ui, sans-serif; line-height: 1.5; }
main { font-family: ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; tab-size: 4;
  line-height: 1.7; }
i { font-style: normal; }
i:hover, i.on { outline: 2px solid; }
.n::before { content: \"\\23ce\"; opacity: .6; }
.a { background: var(--a); } .b { background: var(--b); } .c { background: var(--c); }
.d { background: var(--d); } .e { background: var(--e); }
.legend i { padding: .1rem .5rem; margin-right: .3rem; white-space: nowrap; }
.sums { order: -1; }
h1 { order: -2; font-size: 1.2rem; }
#told { position: fixed; inset: auto 0 0 0; margin: 0; padding: .6rem 1rem; background: Canvas;
  border-top: 1px solid; font-family: ui-monospace, monospace; }
";

/// Tells what was expected at a character when it is pointed at or tapped; without it the titles do.
const SCRIPT: &str = "\
const told = document.getElementById('told');
let last;
const tell = ({ target }) => {
  if (!target.title || target === last) return;
  last?.classList.remove('on');
  last = target;
  last.classList.add('on');
  told.textContent = last.title;
};
for (const event of ['pointerover', 'click']) document.querySelector('main').addEventListener(event, tell);
";

/// Writes the page, whole or not at all.
pub fn write(path: &Path, text: &str, model: &str, predicted: Predicted<'_>) -> Result<Sums> {
    if path.exists() && !is_page(path) {
        return Err(Failure::request(format!(
            "`{}` exists already, and is no page that `predict` wrote",
            path.display()
        ))
        .hint("another `--html FILE` leaves it as it is"));
    }
    let failed = |error: io::Error| {
        Failure::work(format!("could not write the page `{}`: {error}", path.display()))
    };
    // Before the work is done, which a page that can't be written isn't worth.
    let mut draft = atomic::create_temp(path).map_err(failed)?;
    let mut out = BufWriter::new(&mut draft);
    let vocab = predicted.vocab;
    let first = body(predicted.first);
    write!(out, "{}{first}", top(text, model)).map_err(failed)?;
    let sums = predicted.for_each(|char, prediction| {
        out.write_all(marked(vocab, char, prediction).as_bytes()).map_err(failed)
    })?;
    out.write_all(bottom(&sums).as_bytes()).and_then(|()| out.flush()).map_err(failed)?;
    drop(out);
    atomic::persist(draft, path).map_err(failed)?;
    Ok(sums)
}

/// Whether this command wrote the file.
fn is_page(path: &Path) -> bool {
    let mut start = vec![0; BEGINNING.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == BEGINNING.as_bytes()
}

fn top(text: &str, model: &str) -> String {
    let (text, model) = (escaped(text), escaped(model));
    let legend: String = Shade::ALL
        .map(|shade| format!("<i class=\"{}\">{}</i>", shade.class(), shade.about()))
        .concat();
    format!(
        "{BEGINNING}<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{text} as {model} expected it</title>\n<style>\n{STYLE}</style>\n\
         <h1>{text} as {model} expected it</h1>\n\
         <p class=\"legend\">Probability of each character given all before it: {legend}</p>\n<main>"
    )
}

fn bottom(sums: &Sums) -> String {
    format!(
        "</main>\n<p class=\"sums\">{}</p>\n\
         <p id=\"told\">Point at a character, or tap it, to see what was expected.</p>\n\
         <script>\n{SCRIPT}</script>\n",
        escaped(&sums.line())
    )
}

/// A character, with what was expected in its title.
fn marked(vocab: &Vocab, char: char, prediction: &CharPrediction) -> String {
    let probability = prediction.log_prob.exp();
    let guesses: Vec<String> = (prediction.top.iter())
        .map(|guess| format!("{} {}", named(char_of(vocab, guess.id)), shown(guess.probability)))
        .collect();
    let expected = if guesses.is_empty() { "" } else { ", expected: " };
    let title = format!("{} {}{expected}{}", named(char), shown(probability), guesses.join(", "));
    let newline = if char == '\n' { " n" } else { "" };
    format!(
        "<i class=\"{}{newline}\" title=\"{}\">{}</i>",
        Shade::of(probability).class(),
        escaped(&title),
        body(char)
    )
}

/// A character's name in a title, where one can't see a space.
fn named(char: char) -> String {
    format!("`{}`", EscapedChar(char))
}

/// A character as it stands in the running text.
fn body(char: char) -> String {
    match char {
        '\n' | '\t' => char.to_string(),
        char => escaped(stand_in(char).unwrap_or(char).encode_utf8(&mut [0; 4])),
    }
}

/// For text and for attributes in double quotes.
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
    fn what_a_page_shows_cannot_break_out_of_it() {
        let vocab = Vocab::from_ordered(vec!['<', '"', '&']).unwrap();
        let guess = |id| CharProbability { id, probability: 0.25 };
        let prediction = CharPrediction {
            id: 0,
            log_prob: 0.25_f64.ln(),
            top: vec![guess(1), guess(2)],
            correct: false,
        };
        assert_eq!(
            marked(&vocab, '<', &prediction),
            "<i class=\"b\" title=\"`&lt;` 0.2500, expected: `&quot;` 0.2500, `&amp;` 0.2500\">&lt;</i>"
        );
        let top = top("</title><script>.txt", "a&b");
        assert!(
            top.contains("<title>&lt;/title&gt;&lt;script&gt;.txt as a&amp;b expected it</title>")
        );
    }

    #[test]
    fn a_newline_is_marked_and_stays_one_and_what_cannot_be_seen_is_shown() {
        let vocab = Vocab::from_ordered(vec!['\n', '\r']).unwrap();
        let prediction = CharPrediction { id: 0, log_prob: 0.0, top: Vec::new(), correct: true };
        assert_eq!(
            marked(&vocab, '\n', &prediction),
            "<i class=\"a n\" title=\"`\\n` 1.0000\">\n</i>"
        );
        assert_eq!(body('\r'), "␍");
        assert_eq!(body('\0'), "␀");
    }

    #[test]
    fn the_page_needs_no_other_file() {
        let page = top("text.txt", "model") + &bottom(&Sums { chars: 1, nats: 0.5, hits: 1 });
        for word in ["http:", "https:", "src=", "href=", "url(", "@import"] {
            assert!(!page.contains(word), "{word}");
        }
        assert!(page.starts_with(BEGINNING));
    }
}
