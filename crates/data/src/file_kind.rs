//! [`FileKind`]: what a file is that isn't text, by its first bytes.

use std::fmt;

/// A kind of file that is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// gzip.
    Gzip,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
    /// Zstandard.
    Zstd,
    /// A ZIP archive.
    Zip,
    /// A 7z archive.
    SevenZip,
    /// PDF.
    Pdf,
    /// Rich Text Format.
    Rtf,
    /// A document of Microsoft Office before 2007.
    OldOffice,
    /// What `torch.save` writes.
    PyTorch,
    /// A Python pickle.
    Pickle,
    /// A safetensors file.
    Safetensors,
    /// An image.
    Image,
    /// Sound or video.
    Media,
    /// A database of SQLite.
    Sqlite,
    /// A program.
    Program,
    /// UTF-32 with a byte-order mark.
    Utf32,
    /// UTF-16 without a byte-order mark.
    UnmarkedUtf16,
    /// None of these, and no text.
    Binary,
}

/// The first bytes of files, and what they are. A ZIP archive is told apart further.
const SIGNATURES: [(&[u8], FileKind); 23] = [
    (b"\x1f\x8b", FileKind::Gzip),
    (b"BZh91AY&SY", FileKind::Bzip2),
    (b"\xfd7zXZ\0", FileKind::Xz),
    (b"\x28\xb5\x2f\xfd", FileKind::Zstd),
    (b"PK\x03\x04", FileKind::Zip),
    (b"PK\x05\x06", FileKind::Zip),
    (b"7z\xbc\xaf\x27\x1c", FileKind::SevenZip),
    (b"%PDF-", FileKind::Pdf),
    (b"{\\rtf", FileKind::Rtf),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", FileKind::OldOffice),
    (b"\x80\x02", FileKind::Pickle),
    (b"\x80\x03", FileKind::Pickle),
    (b"\x80\x04", FileKind::Pickle),
    (b"\x80\x05", FileKind::Pickle),
    (b"\x89PNG\r\n", FileKind::Image),
    (b"\xff\xd8\xff", FileKind::Image),
    (b"GIF8", FileKind::Image),
    (b"OggS", FileKind::Media),
    (b"ID3", FileKind::Media),
    (b"SQLite format 3\0", FileKind::Sqlite),
    (b"\x7fELF", FileKind::Program),
    (b"\xff\xfe\0\0", FileKind::Utf32),
    (b"\0\0\xfe\xff", FileKind::Utf32),
];

impl FileKind {
    /// The kind of a file that starts with `head`, if it has a signature. Some kilobytes are enough.
    pub(crate) fn of_signature(head: &[u8]) -> Option<Self> {
        // The length of a header in eight bytes, of which the last are always zero, and the header's brace.
        if head.len() > 8 && head[5..9] == [0, 0, 0, b'{'] {
            return Some(Self::Safetensors);
        }
        let (_, kind) = SIGNATURES.iter().find(|(signature, _)| head.starts_with(signature))?;
        let is_torch = || head.windows(8).any(|window| window == b"data.pkl");
        Some(match kind {
            Self::Zip if is_torch() => Self::PyTorch,
            kind => *kind,
        })
    }

    /// The kind of a file without a signature that isn't UTF-8, if it is no text in any encoding of single bytes.
    pub(crate) fn of_bytes(head: &[u8]) -> Option<Self> {
        let zeros =
            |parity: usize| head.iter().skip(parity).step_by(2).filter(|&&byte| byte == 0).count();
        let half = head.len() / 2;
        let (even, odd) = (zeros(0), zeros(1));
        // Text in UTF-16 has zeros in the high bytes of its spaces and line ends at least.
        if half > 0 && even.min(odd) * 20 < even.max(odd) && even.max(odd) * 10 > half {
            return Some(Self::UnmarkedUtf16);
        }
        let is_control = |byte: &&u8| **byte < b' ' && !b"\t\n\r\x0c\x1b\x1a".contains(byte);
        let controls = head.iter().filter(is_control).count();
        (even + odd > 0 || controls * 200 > head.len()).then_some(Self::Binary)
    }
}

/// With an article: "a PDF document".
impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "a gzip file",
            Self::Bzip2 => "a bzip2 file",
            Self::Xz => "an xz file",
            Self::Zstd => "a Zstandard file",
            Self::Zip => "a ZIP archive, as .docx, .odt and .epub files are",
            Self::SevenZip => "a 7z archive",
            Self::Pdf => "a PDF document",
            Self::Rtf => "an RTF document",
            Self::OldOffice => "a document of Microsoft Office",
            Self::PyTorch => "a PyTorch file",
            Self::Pickle => "a Python pickle",
            Self::Safetensors => "a safetensors file",
            Self::Image => "an image",
            Self::Media => "a sound or video file",
            Self::Sqlite => "an SQLite database",
            Self::Program => "a program",
            Self::Utf32 => "text in UTF-32",
            Self::UnmarkedUtf16 => "text in UTF-16 without a byte-order mark",
            Self::Binary => "binary data",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart_by_their_first_bytes() {
        for (head, kind) in [
            (&b"\x1f\x8b\x08\x00rest"[..], Some(FileKind::Gzip)),
            (b"%PDF-1.7\n", Some(FileKind::Pdf)),
            (b"PK\x03\x04...[Content_Types].xml", Some(FileKind::Zip)),
            (b"PK\x03\x04....archive/data.pkl", Some(FileKind::PyTorch)),
            (b"\x10\x00\x00\x00\x00\x00\x00\x00{\"a\":", Some(FileKind::Safetensors)),
            (b"{\\rtf1\\ansi", Some(FileKind::Rtf)),
            (b"PK is short for penalty kick", None),
            (b"{\"a\": 1}", None),
            (b"", None),
        ] {
            assert_eq!(FileKind::of_signature(head), kind, "{head:?}");
        }
    }

    #[test]
    fn binary_data_is_told_apart_from_text_in_another_encoding() {
        let utf16: Vec<u8> = "Ein Text".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(FileKind::of_bytes(&utf16), Some(FileKind::UnmarkedUtf16));
        assert_eq!(FileKind::of_bytes(b"\x00\x01\x00\x02\x00\x03\xff\x00"), Some(FileKind::Binary));
        assert_eq!(FileKind::of_bytes(b"\x01\x02\xff\xfa"), Some(FileKind::Binary));
        assert_eq!(FileKind::of_bytes(b"na\xefve caf\xe9\r\n\tx\x1a"), None);
        assert_eq!(FileKind::of_bytes(b""), None);
    }
}
