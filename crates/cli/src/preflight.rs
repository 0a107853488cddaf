//! What is odd about a text, said before a training.

use charloom_data::{Corpus, Fractions, Oddity, preflight};

use crate::report::print_status;

/// Prints what is odd about a text, each with what helps.
pub fn print(corpus: &Corpus, fractions: Fractions) {
    for oddity in preflight(corpus, &corpus.split(fractions)) {
        print_status!("note   {oddity} ({})", help(&oddity));
    }
}

/// The setting that helps, or what else does.
fn help(oddity: &Oddity) -> &'static str {
    match oddity {
        Oddity::Gutenberg { .. } => "`--trim-gutenberg` leaves them out",
        Oddity::CombiningMarks { .. } => "`--normalize nfc` composes them",
        Oddity::ControlCharacters { .. } => "`--min-count N` folds rare ones into one",
        Oddity::LongLine { .. } => "data or code in a text? leave it out of the file",
        Oddity::Repetition { .. } => "leave one of them out of the file",
        Oddity::OnlyInValidation { .. } => {
            "they can't be learned; `--min-count 2` folds rare ones into one"
        }
    }
}
