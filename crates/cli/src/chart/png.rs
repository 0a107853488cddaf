//! A page as PNG, two pixels to a point.

use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use tiny_skia::{
    FillRule, LineCap, LineJoin, Paint, PathBuilder, Pixmap, Stroke, StrokeDash, Transform,
};

use super::canvas::{Anchor, Canvas, Color, DASH, HEIGHT, Pen, Type, WIDTH};
use super::font::{Font, Outline};

/// Sharp on today's screens.
const SCALE: f32 = 2.0;

/// A PNG picture that is being drawn.
pub struct Png {
    pixels: Pixmap,
    font: Font,
}

impl Png {
    pub fn new() -> Self {
        let (width, height) = ((WIDTH * SCALE) as u32, (HEIGHT * SCALE) as u32);
        let mut pixels = Pixmap::new(width, height).expect("the page has a size");
        pixels.fill(tiny_skia::Color::WHITE);
        Self { pixels, font: Font::new() }
    }

    /// The file. Its pixels are opaque, so their colours are stored as they are.
    pub fn finish(self) -> Vec<u8> {
        let (width, height) = (self.pixels.width(), self.pixels.height());
        let mut rows = Vec::with_capacity((height * (3 * width + 1)) as usize);
        for row in self.pixels.pixels().chunks(width as usize) {
            rows.push(0); // "None" of the filters: most of a chart is one colour anyway.
            rows.extend(row.iter().flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]));
        }
        // Eight bits a channel, RGB; the only compression, the only set of filters, not interlaced.
        let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
        header.extend([8, 2, 0, 0, 0]);

        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        chunk(&mut file, *b"IHDR", &header);
        chunk(&mut file, *b"IDAT", &packed(&rows));
        chunk(&mut file, *b"IEND", &[]);
        file
    }
}

/// A length, a name, data, and a checksum of name and data.
fn chunk(file: &mut Vec<u8>, name: [u8; 4], data: &[u8]) {
    file.extend((data.len() as u32).to_be_bytes());
    let start = file.len();
    file.extend(name);
    file.extend(data);
    let mut sum = Crc::new();
    sum.update(&file[start..]);
    file.extend(sum.sum().to_be_bytes());
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::default());
    packer.write_all(bytes).and_then(|()| packer.finish()).expect("memory takes what is written")
}

impl Canvas for Png {
    fn line(&mut self, points: &[(f32, f32)], pen: Pen) {
        let Pen { color, opacity, width, dashed } = pen;
        let mut path = PathBuilder::new();
        for (index, &(x, y)) in points.iter().enumerate() {
            if index == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
        }
        let Some(path) = path.finish() else { return };
        let stroke = Stroke {
            width,
            line_cap: LineCap::Butt,
            line_join: LineJoin::Round,
            dash: dashed.then(|| StrokeDash::new(DASH.to_vec(), 0.0)).flatten(),
            ..Stroke::default()
        };
        let scale = Transform::from_scale(SCALE, SCALE);
        self.pixels.stroke_path(&path, &paint(color, opacity), &stroke, scale, None);
    }

    fn dot(&mut self, (x, y): (f32, f32), radius: f32, color: Color) {
        let Some(path) = PathBuilder::from_circle(x, y, radius) else { return };
        let scale = Transform::from_scale(SCALE, SCALE);
        self.pixels.fill_path(&path, &paint(color, 1.0), FillRule::Winding, scale, None);
    }

    fn text(&mut self, (x, y): (f32, f32), text: &str, style: Type) {
        let Type { size, color, anchor, upwards } = style;
        let part = match anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => 0.5,
            Anchor::End => 1.0,
        };
        let mut path = PathBuilder::new();
        self.font.outline(text, size, &mut path);
        let Some(path) = path.finish() else { return };
        let place = Transform::from_scale(SCALE, SCALE)
            .pre_translate(x, y)
            .pre_rotate(if upwards { -90.0 } else { 0.0 })
            .pre_translate(-part * self.font.width(text, size), 0.0);
        self.pixels.fill_path(&path, &paint(color, 1.0), FillRule::Winding, place, None);
    }
}

fn paint(Color(red, green, blue): Color, opacity: f32) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(red, green, blue, (opacity * 255.0).round() as u8);
    paint.anti_alias = true;
    paint
}

impl Outline for PathBuilder {
    fn move_to(&mut self, x: f32, y: f32) {
        PathBuilder::move_to(self, x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        PathBuilder::line_to(self, x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        PathBuilder::quad_to(self, x1, y1, x, y);
    }

    fn cubic_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        PathBuilder::cubic_to(self, x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        PathBuilder::close(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn the_file_has_every_pixel_and_every_checksum() {
        let mut page = Png::new();
        page.dot((30.0, 20.0), 8.0, Color(200, 100, 50));
        let file = page.finish();
        let mut rest = file.strip_prefix(b"\x89PNG\r\n\x1a\n").unwrap();
        let mut chunks = Vec::new();
        while !rest.is_empty() {
            let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
            let (named, after) = rest[4..].split_at(4 + length);
            let mut sum = Crc::new();
            sum.update(named);
            assert_eq!(after[..4], sum.sum().to_be_bytes());
            chunks.push((&named[..4], &named[4..]));
            rest = &after[4..];
        }
        assert_eq!(
            chunks.iter().map(|chunk| chunk.0).collect::<Vec<_>>(),
            [b"IHDR", b"IDAT", b"IEND"]
        );
        assert_eq!(chunks[0].1[..8], [0, 0, 7, 128, 0, 0, 4, 96]);
        let mut rows = Vec::new();
        flate2::read::ZlibDecoder::new(chunks[1].1).read_to_end(&mut rows).unwrap();
        assert_eq!(rows.len(), 1120 * (1 + 3 * 1920));
        let pixel = |x: usize, y: usize| &rows[y * (1 + 3 * 1920) + 1 + 3 * x..][..3];
        assert_eq!((pixel(60, 40), pixel(0, 0)), (&[200, 100, 50][..], &[255; 3][..]));
    }
}
