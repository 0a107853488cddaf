//! Pictures of how runs went: curves over steps, with the same drawing for SVG and PNG.

mod canvas;
mod font;
mod palette;
mod png;
mod scale;
mod svg;

use canvas::{Anchor, Canvas, Color, HEIGHT, Pen, Type, WIDTH};
use font::Font;
use palette::palette;
use scale::{Axis, reach};

use self::png::Png;
use self::svg::Svg;

/// What files pictures are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Svg,
    Png,
}

impl Format {
    pub const ALL: [Self; 2] = [Self::Svg, Self::Png];

    /// How the names of its files end.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Png => "png",
        }
    }
}

/// Curves over steps, with what they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    pub title: String,
    /// What is measured, with its unit.
    pub label: String,
    pub curves: Vec<Curve>,
}

/// A run: step and value at each of its validations.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    pub name: String,
    pub valid: Vec<(f64, f64)>,
    /// Empty where only validation is to be shown.
    pub train: Vec<(f64, f64)>,
}

const PAPER: Color = Color(0xff, 0xff, 0xff);
const INK: Color = Color(0x1f, 0x29, 0x33);
const SOFT: Color = Color(0x5a, 0x66, 0x72);
const AXIS: Color = Color(0x9a, 0xa5, 0xb1);
const GRID: Color = Color(0xe4, 0xe7, 0xeb);

const TOP: f32 = 62.0;
const BOTTOM: f32 = HEIGHT - 60.0;
const RIGHT: f32 = 24.0;
/// Between two rows of the legend.
const ROW: f32 = 20.0;
/// Of a line in the legend.
const SWATCH: f32 = 24.0;
/// Up to so many points, each is marked.
const MARKED: usize = 40;

impl Chart {
    /// The picture as a file.
    pub fn draw(&self, format: Format) -> Vec<u8> {
        match format {
            Format::Svg => {
                let mut page = Svg::new();
                self.draw_on(&mut page);
                page.finish()
            }
            Format::Png => {
                let mut page = Png::new();
                self.draw_on(&mut page);
                page.finish()
            }
        }
    }

    fn draw_on(&self, page: &mut dyn Canvas) {
        let font = Font::new();
        let legend = Legend::of(self, &font);
        let y = self.y_axis();
        let widest = y.marks().map(|(_, text)| font.width(&text, 12.0)).fold(0.0, f32::max);
        let last = self.points().map(|(step, _)| step).fold(1.0, f64::max);
        let plot = Plot {
            left: 56.0 + widest,
            right: WIDTH - RIGHT - legend.width - 28.0,
            x: Axis::new(0.0, last * 1.02, 7, 1.0),
            y,
        };
        let title = font.fitted(&self.title, 19.0, WIDTH - plot.left - RIGHT);
        page.text((plot.left, 34.0), &title, text(19.0, INK, Anchor::Start));
        plot.draw_axes(page, &self.label);
        let colors = palette(self.curves.len());
        // The first in the legend lies on top.
        for (curve, &color) in self.curves.iter().zip(&colors).rev() {
            let pen = Pen { color, opacity: 0.75, width: 1.3, dashed: true };
            plot.draw_line(page, &curve.train, pen);
            let pen = Pen { color, opacity: 1.0, width: 2.2, dashed: false };
            plot.draw_line(page, &curve.valid, pen);
            plot.draw_dots(page, curve, color, self.curves.len() <= 12);
        }
        if self.points().any(|(_, value)| value > plot.y.high()) {
            let note = "higher values are not shown";
            page.text((plot.right, TOP - 8.0), note, text(11.0, SOFT, Anchor::End));
        }
        legend.draw(page, &colors);
    }

    fn y_axis(&self) -> Axis {
        let ends = |curve: &Curve| {
            let values = || curve.points().map(|point| point.1).filter(|value| value.is_finite());
            let (low, high) = (values().reduce(f64::min)?, values().reduce(f64::max)?);
            Some((low, high))
        };
        let (low, high) = reach(&self.curves.iter().filter_map(ends).collect::<Vec<_>>());
        Axis::new(low, high, 6, 0.0)
    }

    fn points(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.curves.iter().flat_map(Curve::points)
    }
}

impl Curve {
    fn points(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.valid.iter().chain(&self.train).copied()
    }

    /// The lowest validation value.
    fn best(&self) -> Option<f64> {
        let values = self.valid.iter().map(|point| point.1);
        values.filter(|value| value.is_finite()).reduce(f64::min)
    }
}

fn text(size: f32, color: Color, anchor: Anchor) -> Type {
    Type { size, color, anchor, upwards: false }
}

/// Where curves are.
struct Plot {
    left: f32,
    right: f32,
    x: Axis,
    y: Axis,
}

impl Plot {
    fn at(&self, (step, value): (f64, f64)) -> (f32, f32) {
        let across = self.x.place(step) as f32;
        (self.left + across * (self.right - self.left), self.height(value))
    }

    fn height(&self, value: f64) -> f32 {
        BOTTOM - self.y.place(value) as f32 * (BOTTOM - TOP)
    }

    fn draw_axes(&self, page: &mut dyn Canvas, label: &str) {
        let pen = |color, width| Pen { color, opacity: 1.0, width, dashed: false };
        for (value, mark) in self.y.marks() {
            let y = self.height(value);
            page.line(&[(self.left, y), (self.right, y)], pen(GRID, 1.0));
            page.text((self.left - 9.0, y + 4.0), &mark, text(12.0, SOFT, Anchor::End));
        }
        for (step, mark) in self.x.marks() {
            let (x, _) = self.at((step, 0.0));
            page.line(&[(x, BOTTOM), (x, BOTTOM + 5.0)], pen(AXIS, 1.0));
            page.text((x, BOTTOM + 20.0), &mark, text(12.0, SOFT, Anchor::Middle));
        }
        page.line(&[(self.left, BOTTOM), (self.right, BOTTOM)], pen(AXIS, 1.2));
        let middle = (self.left + self.right) / 2.0;
        page.text((middle, HEIGHT - 16.0), "training steps", text(13.0, INK, Anchor::Middle));
        let upwards = Type { upwards: true, ..text(13.0, INK, Anchor::Middle) };
        page.text((26.0, (TOP + BOTTOM) / 2.0), label, upwards);
    }

    /// The parts of a curve that lie within the plot.
    fn draw_line(&self, page: &mut dyn Canvas, points: &[(f64, f64)], pen: Pen) {
        for part in below(points, self.y.high()) {
            let part: Vec<_> = part.into_iter().map(|point| self.at(point)).collect();
            if part.len() > 1 {
                page.line(&part, pen);
            }
        }
    }

    /// Marks each point of validation. Of training only a point that has no line is marked, by a ring.
    fn draw_dots(&self, page: &mut dyn Canvas, curve: &Curve, color: Color, few: bool) {
        let mut mark = |points: &[(f64, f64)], radius, color| {
            if points.len() == 1 || few && points.len() <= MARKED {
                for &point in points.iter().filter(|point| point.1 <= self.y.high()) {
                    page.dot(self.at(point), radius, color);
                }
            }
        };
        mark(&curve.valid, 3.0, color);
        if curve.train.len() == 1 {
            mark(&curve.train, 3.0, color);
            mark(&curve.train, 1.8, PAPER);
        }
    }
}

/// The parts of a curve that are no higher than `top`, cut where it crosses that. A value that is no number leaves a
/// gap.
fn below(points: &[(f64, f64)], top: f64) -> Vec<Vec<(f64, f64)>> {
    let mut parts = vec![Vec::new()];
    let mut before: Option<(f64, f64)> = None;
    for &(x, y) in points {
        let last = parts.len() - 1;
        if !y.is_finite() {
            parts.push(Vec::new());
            before = None;
            continue;
        }
        if let Some((x0, y0)) = before
            && (y0 > top) != (y > top)
        {
            parts[last].push((x0 + (x - x0) * (top - y0) / (y - y0), top));
        }
        if y <= top {
            parts[last].push((x, y));
        } else if !parts[last].is_empty() {
            parts.push(Vec::new());
        }
        before = Some((x, y));
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// What the curves are, at the right of the plot.
struct Legend {
    width: f32,
    /// Name and lowest value.
    rows: Vec<(String, String)>,
    /// For how many curves there is no room.
    more: usize,
    with_training: bool,
}

const NAME: f32 = 13.0;
/// Longer names are cut.
const WIDEST_NAME: f32 = 230.0;
/// As many as there is room for, beside the key of the lines and the line about the rest.
const MOST_ROWS: usize = 18;

impl Legend {
    fn of(chart: &Chart, font: &Font) -> Self {
        let with_training = chart.curves.iter().any(|curve| !curve.train.is_empty());
        let rows: Vec<_> = chart
            .curves
            .iter()
            .take(MOST_ROWS)
            .map(|curve| {
                let best = curve.best().map(|best| format!("{best:.3}")).unwrap_or_default();
                (font.fitted(&curve.name, NAME, WIDEST_NAME), best)
            })
            .collect();
        let widest = |texts: &mut dyn Iterator<Item = &String>| {
            texts.map(|text| font.width(text, NAME)).fold(0.0, f32::max)
        };
        let name = widest(&mut rows.iter().map(|row| &row.0)).max(62.0);
        let best = widest(&mut rows.iter().map(|row| &row.1)).max(36.0);
        let width = SWATCH + 8.0 + name + 16.0 + best;
        Self { width, more: chart.curves.len() - rows.len(), rows, with_training }
    }

    fn draw(&self, page: &mut dyn Canvas, colors: &[Color]) {
        let right = WIDTH - RIGHT;
        let left = right - self.width;
        let name = left + SWATCH + 8.0;
        let line = |page: &mut dyn Canvas, y: f32, pen: Pen| {
            page.line(&[(left, y - 4.0), (left + SWATCH, y - 4.0)], pen);
        };
        let mut y = TOP + 8.0;
        page.text((name, y), "run", text(11.0, SOFT, Anchor::Start));
        page.text((right, y), "lowest", text(11.0, SOFT, Anchor::End));
        for ((run, best), &color) in self.rows.iter().zip(colors) {
            y += ROW;
            line(page, y, Pen { color, opacity: 1.0, width: 2.6, dashed: false });
            page.text((name, y), run, text(NAME, INK, Anchor::Start));
            page.text((right, y), best, text(NAME, INK, Anchor::End));
        }
        if self.more > 0 {
            y += ROW;
            let more = format!("and {} more", self.more);
            page.text((name, y), &more, text(NAME, SOFT, Anchor::Start));
        }
        if self.with_training {
            y += 1.6 * ROW;
            line(page, y, Pen { color: SOFT, opacity: 1.0, width: 2.2, dashed: false });
            page.text((name, y), "validation", text(NAME, INK, Anchor::Start));
            y += ROW;
            line(page, y, Pen { color: SOFT, opacity: 1.0, width: 1.3, dashed: true });
            page.text((name, y), "training", text(NAME, INK, Anchor::Start));
        }
    }
}

#[cfg(test)]
mod tests;
