//! Text in charts. PNGs and text widths use a font that is built into the program, so that the machine needs none; an
//! SVG is shown in the viewer's font.

use std::sync::Once;

use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Plotters divides a font's size by this factor when it writes an SVG.
const LINE: f64 = 1.24;

/// The style of text of this size, in points, that is placed by its left end, right end or middle, vertically centred.
pub fn style(size: f64, color: RGBColor, end: HPos) -> TextStyle<'static> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        let font = epaint_default_fonts::UBUNTU_LIGHT;
        let registered = register_font("sans-serif", FontStyle::Normal, font);
        // The font is a constant, and a test measures text with it.
        debug_assert!(registered.is_ok());
    });
    ("sans-serif", size * LINE).into_font().color(&color).pos(Pos::new(end, VPos::Center))
}

/// Width of a text, in pixels.
pub fn width(text: &str, style: &TextStyle<'_>) -> i32 {
    style.font.box_size(text).map_or(0, |(width, _)| width as i32)
}

/// The text, shortened in the middle to a width of `max_width`: names often differ in their last letters only.
pub fn fitted(text: &str, style: &TextStyle<'_>, max_width: i32) -> String {
    // Control characters can't be drawn.
    let shown = |char: char| if char.is_control() { char::REPLACEMENT_CHARACTER } else { char };
    let chars: Vec<char> = text.chars().map(shown).collect();
    let full: String = chars.iter().collect();
    if width(&full, style) <= max_width {
        return full;
    }
    for kept in (1..chars.len()).rev() {
        let (start, end) = (&chars[..kept.div_ceil(2)], &chars[chars.len() - kept / 2..]);
        let shortened: String = start.iter().chain(&['…']).chain(end).collect();
        if width(&shortened, style) <= max_width {
            return shortened;
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_shortened_to_the_width() {
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
    fn a_character_that_the_font_lacks_has_a_width_too() {
        assert!(width("織", &style(12.0, BLACK, HPos::Left)) > 3);
    }
}
