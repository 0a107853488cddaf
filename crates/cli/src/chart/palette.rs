//! Colours that tell curves apart.

use plotters::style::RGBColor;
use plotters::style::colors::colormaps::{ColorMap, ViridisRGB};

/// For a few curves: easily told apart, also with red-green colour blindness.
const FEW: [RGBColor; 8] = [
    RGBColor(0x1f, 0x6f, 0xb4),
    RGBColor(0xd9, 0x5f, 0x02),
    RGBColor(0x1b, 0x9e, 0x77),
    RGBColor(0x9b, 0x4d, 0xca),
    RGBColor(0xc9, 0x2a, 0x5e),
    RGBColor(0x8c, 0x6d, 0x1f),
    RGBColor(0x17, 0xa2, 0xb8),
    RGBColor(0x5b, 0x64, 0x70),
];

/// The end of the viridis scale that is used: beyond it the colours are too light for white paper.
const LIGHTEST: f32 = 0.93;

/// A colour for each curve; many curves go from dark to light in their order.
pub fn palette(curves: usize) -> Vec<RGBColor> {
    if curves <= FEW.len() {
        return FEW[..curves].to_vec();
    }
    let position = |curve: usize| LIGHTEST * curve as f32 / (curves - 1) as f32;
    (0..curves).map(|curve| ViridisRGB.get_color(position(curve))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_curves_have_the_same_colour() {
        for curves in [1, 8, 9, 40, 100] {
            let colors = palette(curves);
            assert_eq!(colors.len(), curves);
            for (index, color) in colors.iter().enumerate() {
                assert!(!colors[..index].contains(color), "{index} of {curves}");
            }
        }
    }
}
