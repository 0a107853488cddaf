//! The characters of a vocabulary that stand for no character of a text.
//!
//! Both are noncharacters of Unicode: code points that are never assigned, and that programs may use for themselves. So a
//! vocabulary stays a list of characters, in model files too, and a text that has one of them is refused where it is used.

/// Ends a document, and precedes the first: it is learned like any character.
pub const END_MARK: char = '\u{ffff}';

/// Stands for every character that is too rare to be learned. It is never generated.
pub const UNKNOWN_MARK: char = '\u{fffe}';
