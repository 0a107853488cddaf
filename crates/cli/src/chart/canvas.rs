//! What a chart is drawn on, and with what. Lengths are points of a page of [`WIDTH`] x [`HEIGHT`], from its top left.

/// Of the page.
pub const WIDTH: f32 = 960.0;
/// Of the page.
pub const HEIGHT: f32 = 560.0;

/// Red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color(pub u8, pub u8, pub u8);

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pen {
    pub color: Color,
    /// 0 is invisible, 1 covers what lies below.
    pub opacity: f32,
    pub width: f32,
    pub dashed: bool,
}

/// Length of a dash, and of the gap behind it.
pub const DASH: [f32; 2] = [5.0, 4.0];

/// Which end of a text is where it was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text looks and lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Type {
    pub size: f32,
    pub color: Color,
    pub anchor: Anchor,
    /// Read from bottom to top.
    pub upwards: bool,
}

/// A page that can be drawn on.
pub trait Canvas {
    /// A line through all of the points, of which there are at least two.
    fn line(&mut self, points: &[(f32, f32)], pen: Pen);
    /// A filled circle.
    fn dot(&mut self, center: (f32, f32), radius: f32, color: Color);
    /// A line of text whose baseline begins, has its middle or ends at a place.
    fn text(&mut self, place: (f32, f32), text: &str, style: Type);
}
