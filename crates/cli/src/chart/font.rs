//! The font of charts, which is in the program: a machine need not have any.

use ttf_parser::{Face, GlyphId, OutlineBuilder};

/// The font, which has Latin, Greek and Cyrillic letters.
pub struct Font(Face<'static>);

impl Font {
    pub fn new() -> Self {
        let font = epaint_default_fonts::UBUNTU_LIGHT;
        Self(Face::parse(font, 0).expect("a test reads the font"))
    }

    /// How wide a text is at this size.
    pub fn width(&self, text: &str, size: f32) -> f32 {
        text.chars().map(|char| self.advance(self.glyph(char), size)).sum()
    }

    /// The text, or as much of both its ends as is no wider than `most`, with an ellipsis between them: names often
    /// differ in their last letters only.
    pub fn fitted(&self, text: &str, size: f32, most: f32) -> String {
        if self.width(text, size) <= most {
            return text.to_owned();
        }
        let chars: Vec<char> = text.chars().collect();
        for kept in (1..chars.len()).rev() {
            let (start, end) = (&chars[..kept.div_ceil(2)], &chars[chars.len() - kept / 2..]);
            let shown: String = start.iter().chain(&['…']).chain(end).collect();
            if self.width(&shown, size) <= most {
                return shown;
            }
        }
        String::new()
    }

    /// Draws the outlines of a text whose baseline begins at the origin.
    pub fn outline(&self, text: &str, size: f32, to: &mut dyn Outline) {
        let scale = size / f32::from(self.0.units_per_em());
        let mut x = 0.0;
        for char in text.chars() {
            let glyph = self.glyph(char);
            self.0.outline_glyph(glyph, &mut Placed { to, x, scale });
            x += self.advance(glyph, size);
        }
    }

    /// A letter that the font lacks is its box.
    fn glyph(&self, char: char) -> GlyphId {
        self.0.glyph_index(char).unwrap_or(GlyphId(0))
    }

    fn advance(&self, glyph: GlyphId, size: f32) -> f32 {
        let units = f32::from(self.0.glyph_hor_advance(glyph).unwrap_or(0));
        units * size / f32::from(self.0.units_per_em())
    }
}

/// Takes outlines, y downwards.
pub trait Outline {
    fn move_to(&mut self, x: f32, y: f32);
    fn line_to(&mut self, x: f32, y: f32);
    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32);
    fn cubic_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32);
    fn close(&mut self);
}

/// Puts a glyph where it belongs. Fonts have y upwards.
struct Placed<'a> {
    to: &'a mut dyn Outline,
    x: f32,
    scale: f32,
}

impl Placed<'_> {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.scale, -y * self.scale)
    }
}

impl OutlineBuilder for Placed<'_> {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.to.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.to.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.to.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.to.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.to.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_where_it_fits() {
        let font = Font::new();
        let text = "a name that is rather long";
        let whole = font.width(text, 12.0);
        assert!(whole > 100.0 && whole < 200.0, "{whole}");
        assert_eq!(font.fitted(text, 12.0, whole), text);
        let cut = font.fitted(text, 12.0, 60.0);
        assert!(cut.starts_with("a n") && cut.contains('…') && cut.ends_with("ng"), "{cut}");
        assert!(font.width(&cut, 12.0) <= 60.0);
        assert_eq!(font.fitted(text, 12.0, 1.0), "");
    }

    #[test]
    fn a_letter_that_the_font_lacks_takes_room_too() {
        assert!(Font::new().width("織", 12.0) > 3.0);
    }
}
