//! A page as SVG.

use std::fmt::Write;

use super::canvas::{Anchor, Canvas, Color, DASH, HEIGHT, Pen, Type, WIDTH};

/// Text stays text: whoever shows the picture has a font, and it can be searched.
const FONTS: &str = "Ubuntu, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif";

/// An SVG picture that is being drawn.
pub struct Svg(String);

impl Svg {
    pub fn new() -> Self {
        Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
             height=\"{HEIGHT}\" font-family=\"{FONTS}\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n"
        ))
    }

    pub fn finish(self) -> Vec<u8> {
        (self.0 + "</svg>\n").into_bytes()
    }

    fn element(&mut self, element: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{element}").expect("text can be appended to");
    }
}

impl Canvas for Svg {
    fn line(&mut self, points: &[(f32, f32)], pen: Pen) {
        let points: Vec<_> = points.iter().map(|(x, y)| format!("{x:.2},{y:.2}")).collect();
        let Pen { color, opacity, width, dashed } = pen;
        let [dash, gap] = DASH;
        let dashes =
            if dashed { format!(" stroke-dasharray=\"{dash} {gap}\"") } else { String::new() };
        let opacity = match opacity {
            1.0 => String::new(),
            part => format!(" stroke-opacity=\"{part}\""),
        };
        self.element(format_args!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{width}\" \
             stroke-linejoin=\"round\"{opacity}{dashes}/>",
            points.join(" "),
            hex(color)
        ));
    }

    fn dot(&mut self, (x, y): (f32, f32), radius: f32, color: Color) {
        self.element(format_args!(
            "<circle cx=\"{x:.2}\" cy=\"{y:.2}\" r=\"{radius}\" fill=\"{}\"/>",
            hex(color)
        ));
    }

    fn text(&mut self, (x, y): (f32, f32), text: &str, style: Type) {
        let Type { size, color, anchor, upwards } = style;
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let turn = match upwards {
            true => format!(" transform=\"rotate(-90 {x:.2} {y:.2})\""),
            false => String::new(),
        };
        self.element(format_args!(
            "<text x=\"{x:.2}\" y=\"{y:.2}\" font-size=\"{size}\" fill=\"{}\" text-anchor=\"{anchor}\"{turn}>{}</text>",
            hex(color),
            escaped(text)
        ));
    }
}

fn hex(Color(red, green, blue): Color) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// As XML takes it. Control characters may not be in it at all.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for char in text.chars() {
        match char {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            char if char.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
            char => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_end_its_element() {
        assert_eq!(escaped("a<b>&\u{7}é"), "a&lt;b&gt;&amp;\u{fffd}é");
    }
}
