use super::*;
use crate::split::Fractions;

fn found(text: &str) -> Vec<String> {
    let corpus = Corpus::from_text(text).unwrap();
    let split = corpus.split(Fractions::new(0.1, 0.0).unwrap());
    preflight(&corpus, &split).iter().map(Oddity::to_string).collect()
}

/// Lines that don't repeat.
fn lines(count: usize) -> String {
    let line =
        |number: usize| format!("the line {} of {}\n", number * number, number * 7919 % 1009);
    (0..count).map(line).collect()
}

#[test]
fn an_ordinary_text_has_nothing_odd() {
    assert!(found(&lines(3000)).is_empty());
    assert!(found(&"ab".repeat(20)).is_empty());
}

#[test]
fn what_project_gutenberg_adds_is_found_with_its_share_of_the_validation_part() {
    // 200 characters, the last 20 are validated, of which 15 are not the book's.
    let after = "*** END OF IT\nabcde";
    let book = "a".repeat(90) + "\n" + &"b".repeat(89) + "\n";
    let text = format!("{book}{after}");
    let chars = after.len();
    assert_eq!(text.len(), 200);
    let only = "characters that occur in the validation part alone: ` `, `*`, `D`, `E`, `F`, `I`, `N`, `O` and 4 more";
    let expected = format!(
        "{chars} characters are Project Gutenberg's, before or after the book: 95.0 % of the validation part"
    );
    assert_eq!(found(&text), [expected.as_str(), only]);
}

#[test]
fn marks_and_control_characters_are_counted() {
    let text = "cafe\u{301} \u{7}\u{7}\u{c} ".repeat(30) + "e";
    assert_eq!(
        found(&text),
        [
            "30 marks are characters of their own, apart from their letters",
            "there are control characters: `U+0007` 60, `U+000C` 30",
        ]
    );
}

#[test]
fn a_line_with_a_tenth_of_the_text_is_found() {
    let text = format!("{}{}\n", lines(2000), "the line ".repeat(1000));
    let length = text.len();
    let percent = 100.0 * 9000.0 / length as f64;
    let expected = format!("one line has 9000 characters, {percent:.0} % of the text");
    assert_eq!(found(&text), [expected]);
}

#[test]
fn a_block_that_occurs_twice_is_found_wherever_it_stands() {
    let unique = lines(4000);
    let (start, end) = (unique.len() * 9 / 10, 20_000 + 10_000);
    let text = unique[..start].to_owned() + "!" + &unique[20_000..end] + "?";
    let expected = format!(
        "the same 10000 characters stand at 20000 and at {}, so that validation measures what was learned by heart",
        start + 1
    );
    let found = found(&text);
    assert!(found.contains(&expected), "{found:?}");
}
