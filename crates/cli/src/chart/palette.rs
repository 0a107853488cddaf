//! Colours that tell curves apart.

use super::canvas::Color;

/// For a few curves: far apart, for most people who can't tell red from green too.
const FEW: [Color; 8] = [
    Color(0x1f, 0x6f, 0xb4),
    Color(0xd9, 0x5f, 0x02),
    Color(0x1b, 0x9e, 0x77),
    Color(0x9b, 0x4d, 0xca),
    Color(0xc9, 0x2a, 0x5e),
    Color(0x8c, 0x6d, 0x1f),
    Color(0x17, 0xa2, 0xb8),
    Color(0x5b, 0x64, 0x70),
];

/// For many: from dark to light, in their order.
const MANY: [Color; 6] = [
    Color(0x44, 0x15, 0x6a),
    Color(0x3b, 0x4f, 0x8a),
    Color(0x26, 0x7f, 0x8e),
    Color(0x22, 0xa5, 0x80),
    Color(0x7c, 0xc2, 0x4a),
    Color(0xe3, 0xc0, 0x2a),
];

/// A colour for each of so many curves.
pub fn palette(curves: usize) -> Vec<Color> {
    if curves <= FEW.len() {
        return FEW[..curves].to_vec();
    }
    (0..curves).map(|curve| between(curve as f32 / (curves - 1) as f32)).collect()
}

/// The colour at a part of the way.
fn between(way: f32) -> Color {
    let place = way * (MANY.len() - 1) as f32;
    let index = (place as usize).min(MANY.len() - 2);
    let part = place - index as f32;
    let (Color(r0, g0, b0), Color(r1, g1, b1)) = (MANY[index], MANY[index + 1]);
    let mix = |from: u8, to: u8| (f32::from(from) * (1.0 - part) + f32::from(to) * part) as u8;
    Color(mix(r0, r1), mix(g0, g1), mix(b0, b1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_curves_have_one_colour() {
        for curves in [1, 8, 9, 40, 100] {
            let colors = palette(curves);
            assert_eq!(colors.len(), curves);
            for (index, color) in colors.iter().enumerate() {
                assert!(!colors[..index].contains(color), "{index} of {curves}");
            }
        }
        assert_eq!((between(0.0), between(1.0)), (MANY[0], MANY[5]));
    }
}
