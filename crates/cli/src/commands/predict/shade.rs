//! Colours by probability, and how characters and probabilities are printed.

use anstyle::{Ansi256Color, Style};

/// How likely a character was, in five steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shade {
    Sure,
    Likely,
    Possible,
    Unlikely,
    Surprising,
}

impl Shade {
    pub const ALL: [Self; 5] =
        [Self::Sure, Self::Likely, Self::Possible, Self::Unlikely, Self::Surprising];

    pub fn of(probability: f64) -> Self {
        // NaN has the last shade.
        Self::ALL.into_iter().find(|shade| probability >= shade.min()).unwrap_or(Self::Surprising)
    }

    /// The lowest probability of this shade.
    fn min(self) -> f64 {
        match self {
            Self::Sure => 0.5,
            Self::Likely => 0.2,
            Self::Possible => 0.05,
            Self::Unlikely => 0.01,
            Self::Surprising => 0.0,
        }
    }

    /// The range of probabilities, for legends.
    pub fn about(self) -> &'static str {
        match self {
            Self::Sure => "50 % or more",
            Self::Likely => "20 to 50 %",
            Self::Possible => "5 to 20 %",
            Self::Unlikely => "1 to 5 %",
            Self::Surprising => "below 1 %",
        }
    }

    /// The class in the page's style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::Sure => "a",
            Self::Likely => "b",
            Self::Possible => "c",
            Self::Unlikely => "d",
            Self::Surprising => "e",
        }
    }

    /// Black on a light background, readable on dark and light terminals alike.
    pub fn style(self) -> Style {
        let background = match self {
            Self::Sure => 114,
            Self::Likely => 157,
            Self::Possible => 229,
            Self::Unlikely => 216,
            Self::Surprising => 203,
        };
        Ansi256Color(16).on(Ansi256Color(background))
    }
}

/// The visible replacement of a control character: one that would steer the terminal or change the direction of writing.
/// Newlines and tabs are left to the caller.
pub fn stand_in(char: char) -> Option<char> {
    match char {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + char as u32),
        '\u{7f}' => Some('␡'),
        '\u{80}'..='\u{9f}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' => Some(char::REPLACEMENT_CHARACTER),
        _ => None,
    }
}

/// A probability with four decimals, or in scientific notation if that would be 0.
pub fn shown(probability: f64) -> String {
    if probability >= 5e-5 || probability == 0.0 {
        format!("{probability:.4}")
    } else {
        format!("{probability:.1e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_probability_has_the_shade_of_its_legend() {
        for (probability, about) in [
            (1.0, "50 % or more"),
            (0.5, "50 % or more"),
            (0.499, "20 to 50 %"),
            (0.2, "20 to 50 %"),
            (0.05, "5 to 20 %"),
            (0.01, "1 to 5 %"),
            (0.0099, "below 1 %"),
            (0.0, "below 1 %"),
            (f64::NAN, "below 1 %"),
        ] {
            assert_eq!(Shade::of(probability).about(), about, "{probability}");
        }
    }

    #[test]
    fn control_characters_are_replaced() {
        for (char, shown) in [
            ('\u{1b}', '␛'),
            ('\0', '␀'),
            ('\r', '␍'),
            ('\u{9b}', '\u{fffd}'),
            ('\u{202e}', '\u{fffd}'),
        ] {
            assert_eq!(stand_in(char), Some(shown));
        }
        for char in ['a', ' ', 'é', '\u{301}', '☃'] {
            assert_eq!(stand_in(char), None);
        }
    }

    #[test]
    fn a_small_probability_keeps_its_digits() {
        for (probability, text) in [
            (1.0, "1.0000"),
            (0.12345, "0.1235"),
            (0.00006, "0.0001"),
            (3.21e-7, "3.2e-7"),
            (0.0, "0.0000"),
        ] {
            assert_eq!(shown(probability), text);
        }
    }
}
