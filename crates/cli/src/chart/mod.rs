//! Charts of runs: curves over training steps, drawn the same way to SVG and PNG.

mod axis_range;
mod font;
mod legend;
mod palette;

use std::error::Error;

use plotters::coord::types::RangedCoordf64;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::report::with_thousands;
use axis_range::{axis_range, clip_above, is_plottable};
use font::{fitted, style};
use legend::Legend;
use palette::palette;

/// The format of a chart's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Svg,
    Png,
}

impl Format {
    pub const ALL: [Self; 2] = [Self::Svg, Self::Png];

    /// The extension of file names.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Png => "png",
        }
    }
}

/// Curves over training steps, with a title and a label.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    pub title: String,
    /// The label of the vertical axis: the metric, with its unit.
    pub label: String,
    pub curves: Vec<Curve>,
}

/// A run: (step, value) at each of its evaluations.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    pub name: String,
    pub valid: Vec<(f64, f64)>,
    /// Empty if only validation is plotted.
    pub train: Vec<(f64, f64)>,
}

type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// Size of the page, in points.
const WIDTH: i32 = 960;
const HEIGHT: i32 = 560;
/// Pixels per point in a PNG.
const PIXELS: i32 = 2;

const INK: RGBColor = RGBColor(0x1f, 0x29, 0x33);
const SOFT: RGBColor = RGBColor(0x5a, 0x66, 0x72);
const AXIS: RGBColor = RGBColor(0x9a, 0xa5, 0xb1);
const GRID: RGBColor = RGBColor(0xe4, 0xe7, 0xeb);

/// Widths of the lines.
const VALIDATION: u32 = 2;
const TRAINING: u32 = 1;

/// Distance from the top of the page to the highest tick mark, in points.
const TOP: i32 = 66;
/// Approximate number of tick marks on each axis.
const TICKS: usize = 7;
/// Up to this number of points in a curve, each one is marked.
const MOST_MARKED: usize = 40;

impl Chart {
    /// The contents of the chart's file.
    pub fn draw(&self, format: Format) -> Result<Vec<u8>, Box<dyn Error>> {
        match format {
            Format::Svg => {
                let mut svg = String::new();
                let size = (WIDTH as u32, HEIGHT as u32);
                self.draw_on(SVGBackend::with_string(&mut svg, size), 1)?;
                Ok(svg.into_bytes())
            }
            Format::Png => {
                let (width, height) = ((WIDTH * PIXELS) as u32, (HEIGHT * PIXELS) as u32);
                let mut pixels = vec![0; 3 * (width * height) as usize];
                let page = BitMapBackend::with_buffer(&mut pixels, (width, height));
                self.draw_on(page, PIXELS)?;
                let mut file = Vec::new();
                let mut encoder = png::Encoder::new(&mut file, width, height);
                encoder.set_color(png::ColorType::Rgb);
                let mut writer = encoder.write_header()?;
                writer.write_image_data(&pixels)?;
                writer.finish()?;
                Ok(file)
            }
        }
    }

    fn draw_on<B: DrawingBackend>(&self, page: B, scale: i32) -> Drawn<B> {
        let size = |points: f64, color, end| style(points * f64::from(scale), color, end);
        let page = page.into_drawing_area();
        page.fill(&WHITE)?;
        let legend = Legend::of(self, scale);
        let (plot, beside) = page.split_horizontally(WIDTH * scale - legend.width);
        let (low, high) = self.axis_range();
        let last = self.points().map(|(step, _)| step).fold(1.0, f64::max);

        let title = size(19.0, INK, HPos::Left);
        let text = fitted(&self.title, &title, (WIDTH - 100) * scale);
        page.draw(&Text::new(text, (76 * scale, 30 * scale), title))?;
        let mut area = ChartBuilder::on(&plot)
            .margin_top((TOP - 8) * scale)
            .margin_left(22 * scale)
            .margin_right(28 * scale)
            .margin_bottom(12 * scale)
            .x_label_area_size(50 * scale)
            .y_label_area_size(54 * scale)
            .build_cartesian_2d(0.0..last * 1.02, low..high)?;
        let digits = digits(high - low);
        area.configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID.stroke_width(scale as u32))
            .axis_style(AXIS.stroke_width(scale as u32))
            .set_all_tick_mark_size(5 * scale)
            .x_labels(TICKS)
            .y_labels(TICKS)
            .x_label_formatter(&format_step)
            .y_label_formatter(&|value| format_value(*value, digits))
            .label_style(size(12.0, SOFT, HPos::Left))
            .axis_desc_style(size(13.0, INK, HPos::Center))
            .x_desc("training steps")
            .y_desc(&self.label)
            .draw()?;

        let colors = palette(self.curves.len());
        let few = self.curves.len() <= 12;
        // The first curve of the legend is drawn last, on top.
        for (curve, &color) in self.curves.iter().zip(&colors).rev() {
            curve.draw_on(&mut area, high, scale, color, few)?;
        }
        if self.points().any(|(_, value)| value > high) {
            let note = "higher values are not shown".to_owned();
            let right = WIDTH * scale - legend.width - 28 * scale;
            let place = (right, (TOP - 20) * scale);
            page.draw(&Text::new(note, place, size(11.0, SOFT, HPos::Right)))?;
        }
        legend.draw(&beside, TOP * scale, &colors)?;
        page.present()
    }

    /// The range of the vertical axis.
    fn axis_range(&self) -> (f64, f64) {
        let ends = |curve: &Curve| {
            let values =
                || curve.points().map(|point| point.1).filter(|&value| is_plottable(value));
            Some((values().reduce(f64::min)?, values().reduce(f64::max)?))
        };
        axis_range(&self.curves.iter().filter_map(ends).collect::<Vec<_>>())
    }

    fn points(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.curves.iter().flat_map(Curve::points)
    }
}

type Area<'a, B> = ChartContext<'a, B, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

impl Curve {
    fn points(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.valid.iter().chain(&self.train).copied()
    }

    /// The lowest validation value.
    fn best(&self) -> Option<f64> {
        let values = self.valid.iter().map(|point| point.1);
        values.filter(|value| value.is_finite()).reduce(f64::min)
    }

    /// Draws the parts of the curve up to `high`.
    fn draw_on<B: DrawingBackend>(
        &self,
        area: &mut Area<'_, B>,
        high: f64,
        scale: i32,
        color: RGBColor,
        few: bool,
    ) -> Drawn<B> {
        let lines =
            [(&self.train, lighten(color), TRAINING), (&self.valid, color.to_rgba(), VALIDATION)];
        for (points, color, width) in lines {
            for part in clip_above(points, high).into_iter().filter(|part| part.len() > 1) {
                let style = color.stroke_width(width * scale as u32);
                area.draw_series(LineSeries::new(part, style))?;
            }
        }
        // Each validation point is marked. A training point is marked only if it has no line, by a ring.
        let shown = |points: &[(f64, f64)]| -> Vec<_> {
            points
                .iter()
                .copied()
                .filter(|point| is_plottable(point.1) && point.1 <= high)
                .collect()
        };
        if self.valid.len() == 1 || few && self.valid.len() <= MOST_MARKED {
            let dot = |point| Circle::new(point, 3 * scale, color.filled());
            area.draw_series(shown(&self.valid).into_iter().map(dot))?;
        }
        if self.train.len() == 1 {
            let ring = |point| Circle::new(point, 3 * scale, color.stroke_width(scale as u32));
            area.draw_series(shown(&self.train).into_iter().map(ring))?;
        }
        Ok(())
    }
}

/// The colour of a training curve.
fn lighten(color: RGBColor) -> RGBAColor {
    color.mix(0.55)
}

/// The label of a tick mark on the horizontal axis: none between two steps.
fn format_step(step: &f64) -> String {
    if step.fract() == 0.0 { with_thousands(*step as u64) } else { String::new() }
}

/// A value as it is labelled in the chart.
fn format_value(value: f64, digits: usize) -> String {
    if value.abs() < 1e6 { format!("{value:.digits$}") } else { format!("{value:.1e}") }
}

/// Decimal places that tell the tick marks of an axis of this length apart.
fn digits(length: f64) -> usize {
    (-(length / TICKS as f64).log10().floor()).clamp(0.0, 9.0) as usize
}

#[cfg(test)]
mod tests;
