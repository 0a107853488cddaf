//! The letters of charts. For pixels, and to measure, a font is in the program: a machine need not have any. An SVG is
//! shown in the viewer's own.

use std::sync::Once;

use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Plotters divides a font's size by this where it writes an SVG.
const LINE: f64 = 1.24;

/// A text of this size, in points, whose left end (or right end, or middle) is put at the middle of its height.
pub fn style(size: f64, color: RGBColor, end: HPos) -> TextStyle<'static> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        let font = epaint_default_fonts::UBUNTU_LIGHT;
        let registered = register_font("sans-serif", FontStyle::Normal, font);
        // A test reads it.
        debug_assert!(registered.is_ok());
    });
    ("sans-serif", size * LINE).into_font().color(&color).pos(Pos::new(end, VPos::Center))
}

/// How wide a text is.
pub fn width(text: &str, style: &TextStyle<'_>) -> i32 {
    style.font.box_size(text).map_or(0, |(width, _)| width as i32)
}

/// The text, or as much of both its ends as is no wider than `most`, with an ellipsis between them: names often differ
/// in their last letters only.
pub fn fitted(text: &str, style: &TextStyle<'_>, most: i32) -> String {
    // Control characters can't be in a picture.
    let shown = |char: char| if char.is_control() { char::REPLACEMENT_CHARACTER } else { char };
    let chars: Vec<char> = text.chars().map(shown).collect();
    let whole: String = chars.iter().collect();
    if width(&whole, style) <= most {
        return whole;
    }
    for kept in (1..chars.len()).rev() {
        let (start, end) = (&chars[..kept.div_ceil(2)], &chars[chars.len() - kept / 2..]);
        let cut: String = start.iter().chain(&['…']).chain(end).collect();
        if width(&cut, style) <= most {
            return cut;
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_where_it_fits() {
        let style = style(12.0, BLACK, HPos::Left);
        let text = "a name that is rather long";
        let whole = width(text, &style);
        assert!(whole > 100 && whole < 200, "{whole}");
        assert_eq!(fitted(text, &style, whole), text);
        let cut = fitted(text, &style, 60);
        assert!(cut.starts_with("a n") && cut.contains('…') && cut.ends_with("ng"), "{cut}");
        assert!(width(&cut, &style) <= 60);
        assert_eq!(fitted(text, &style, 1), "");
    }

    #[test]
    fn a_letter_that_the_font_lacks_takes_room_too() {
        assert!(width("織", &style(12.0, BLACK, HPos::Left)) > 3);
    }
}
