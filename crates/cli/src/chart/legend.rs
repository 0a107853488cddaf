//! The legend, at the right of the plot.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::font::{fitted, style, width};
use super::{Chart, Drawn, INK, SOFT, TRAINING, VALIDATION, format_value, lighten};

/// Distance between two rows.
const ROW: i32 = 20;
/// Length of a line sample.
const SWATCH: i32 = 24;
/// Distance between a line sample and its name.
const GAP: i32 = 8;
/// Margin at the right.
const MARGIN: i32 = 24;
/// Width at which names are cut.
const WIDEST_NAME: i32 = 230;
/// Rows that fit, with room left for the line styles and for the number of omitted curves.
const MOST_ROWS: usize = 18;
const NAME: f64 = 13.0;
const HEAD: f64 = 11.0;

/// The legend of a chart; lengths are multiplied by `scale`.
pub struct Legend {
    scale: i32,
    /// Width of the legend's part of the page.
    pub width: i32,
    /// The name and the lowest value of each curve.
    rows: Vec<(String, String)>,
    /// Number of curves that don't fit.
    more: usize,
    with_training: bool,
}

impl Legend {
    pub fn of(chart: &Chart, scale: i32) -> Self {
        let name = style(NAME * f64::from(scale), INK, HPos::Left);
        let with_training = chart.curves.iter().any(|curve| !curve.train.is_empty());
        let rows: Vec<_> = chart
            .curves
            .iter()
            .take(MOST_ROWS)
            .map(|curve| {
                let best = curve.best().map(|best| format_value(best, 3)).unwrap_or_default();
                (fitted(&curve.name, &name, WIDEST_NAME * scale), best)
            })
            .collect();
        let widest = |texts: &mut dyn Iterator<Item = &String>| {
            texts.map(|text| width(text, &name)).max().unwrap_or(0)
        };
        let names = widest(&mut rows.iter().map(|row| &row.0)).max(62 * scale);
        let best = widest(&mut rows.iter().map(|row| &row.1)).max(36 * scale);
        let width = (SWATCH + GAP + 16 + MARGIN) * scale + names + best;
        Self { scale, width, more: chart.curves.len() - rows.len(), rows, with_training }
    }

    /// Draws the legend, from `top` downwards.
    pub fn draw<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        top: i32,
        colors: &[RGBColor],
    ) -> Drawn<B> {
        let scale = self.scale;
        let (names, right) = ((SWATCH + GAP) * scale, self.width - MARGIN * scale);
        let text = |text: &str, x: i32, y: i32, size: f64, color: RGBColor, end: HPos| {
            let style = style(size * f64::from(scale), color, end);
            area.draw(&Text::new(text.to_owned(), (x, y), style))
        };
        let line = |y: i32, color: RGBAColor, width: u32| {
            let style = color.stroke_width(width * scale as u32);
            area.draw(&PathElement::new([(0, y), (SWATCH * scale, y)], style))
        };
        let mut y = top;
        text("run", names, y, HEAD, SOFT, HPos::Left)?;
        text("lowest", right, y, HEAD, SOFT, HPos::Right)?;
        for ((name, best), color) in self.rows.iter().zip(colors) {
            y += ROW * scale;
            line(y, color.to_rgba(), VALIDATION)?;
            text(name, names, y, NAME, INK, HPos::Left)?;
            text(best, right, y, NAME, INK, HPos::Right)?;
        }
        if self.more > 0 {
            y += ROW * scale;
            text(&format!("and {} more", self.more), names, y, NAME, SOFT, HPos::Left)?;
        }
        if self.with_training {
            y += ROW * scale * 8 / 5;
            line(y, SOFT.to_rgba(), VALIDATION)?;
            text("validation", names, y, NAME, INK, HPos::Left)?;
            y += ROW * scale;
            line(y, lighten(SOFT), TRAINING)?;
            text("training", names, y, NAME, INK, HPos::Left)?;
        }
        Ok(())
    }
}
