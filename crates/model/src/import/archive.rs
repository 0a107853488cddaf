//! ZIP archives, as far as `torch.save` writes them: every entry is stored as it is, none compressed.
//! The format is that of PKWARE's APPNOTE.TXT, with its 64-bit extension.

use std::collections::HashMap;
use std::ops::Range;

/// Where the entries of an archive are.
pub struct Archive<'a> {
    bytes: &'a [u8],
    entries: HashMap<String, Entry>,
}

struct Entry {
    /// Of its own header.
    start: usize,
    len: usize,
    /// 0 where none was computed.
    crc32: u32,
    plain: bool,
}

type Result<T> = std::result::Result<T, &'static str>;

const CUT: &str = "its archive is cut short or damaged";

impl<'a> Archive<'a> {
    /// Reads the table at the archive's end.
    pub fn open(bytes: &'a [u8]) -> Result<Self> {
        let (mut at, count) = directory(bytes)?;
        let mut entries = HashMap::new();
        for _ in 0..count {
            let header = Fields(part(bytes, at, 46)?);
            if header.0[..4] != *b"PK\x01\x02" {
                return Err(CUT);
            }
            let [name_len, extra_len, comment_len] = [28, 30, 32].map(|place| header.u16(place));
            let name = std::str::from_utf8(part(bytes, at + 46, name_len)?).map_err(|_| CUT)?;
            let extra = part(bytes, at + 46 + name_len, extra_len)?;
            let (packed, len, start) =
                wide([header.u32(20), header.u32(24), header.u32(42)], extra)?;
            let plain = header.u16(10) == 0 && header.u16(8) & 1 == 0 && packed == len;
            entries
                .insert(name.to_owned(), Entry { start, len, crc32: header.u32(16) as u32, plain });
            at += 46 + name_len + extra_len + comment_len;
        }
        Ok(Self { bytes, entries })
    }

    /// The folder that holds everything: `torch.save` names it after the file.
    pub fn folder(&self) -> Option<&str> {
        self.entries.keys().find_map(|name| name.strip_suffix("data.pkl"))
    }

    /// The content of an entry, if there is one of that name.
    pub fn content(&self, name: &str) -> Result<Option<&'a [u8]>> {
        let Some(entry) = self.entries.get(name) else { return Ok(None) };
        if !entry.plain {
            return Err("its archive is compressed or encrypted, which `torch.save` does not do");
        }
        let header = Fields(part(self.bytes, entry.start, 30)?);
        if header.0[..4] != *b"PK\x03\x04" {
            return Err(CUT);
        }
        let start = entry.start + 30 + header.u16(26) + header.u16(28);
        let content = part(self.bytes, start, entry.len)?;
        if entry.crc32 != 0 && crc32(content) != entry.crc32 {
            return Err("its archive is damaged: a checksum is wrong");
        }
        Ok(Some(content))
    }
}

/// The place and the number of entries of the central directory.
fn directory(bytes: &[u8]) -> Result<(usize, usize)> {
    // The end record is the last thing but for a comment of at most 65,535 bytes.
    let last = bytes.len().checked_sub(22).ok_or(CUT)?;
    let at = (last.saturating_sub(0xffff)..=last)
        .rev()
        .find(|&at| bytes[at..].starts_with(b"PK\x05\x06"))
        .ok_or(CUT)?;
    let end = Fields(part(bytes, at, 22)?);
    let (count, start) = (end.u16(10), end.u32(16));
    if count != 0xffff && start != NARROW {
        return Ok((start, count));
    }
    // The 64-bit record, whose place stands right before the other.
    let locator = Fields(part(bytes, at.checked_sub(20).ok_or(CUT)?, 20)?);
    let record = Fields(part(bytes, locator.u64(8)?, 56)?);
    if locator.0[..4] != *b"PK\x06\x07" || record.0[..4] != *b"PK\x06\x06" {
        return Err(CUT);
    }
    Ok((record.u64(48)?, record.u64(32)?))
}

/// What a 32-bit field has where the 64-bit extension tells.
const NARROW: usize = 0xffff_ffff;

/// Packed size, size and place of an entry, those from the 64-bit extension that are too large for the header.
fn wide(fields: [usize; 3], extra: &[u8]) -> Result<(usize, usize, usize)> {
    let mut rest = extra;
    let mut wide = Fields(&[]);
    while let Some((head, tail)) = rest.split_at_checked(4) {
        let (tag, len) = (Fields(head).u16(0), Fields(head).u16(2));
        let (field, tail) = tail.split_at_checked(len).ok_or(CUT)?;
        if tag == 1 {
            wide = Fields(field);
        }
        rest = tail;
    }
    // The header's order is packed, plain; the extension's is plain, packed.
    let [packed, len, start] = fields;
    let mut place = 0;
    let mut take = |field: usize| {
        if field != NARROW {
            return Ok(field);
        }
        place += 8;
        wide.u64(place - 8)
    };
    let len = take(len)?;
    let packed = take(packed)?;
    Ok((packed, len, take(start)?))
}

fn part(bytes: &[u8], start: usize, len: usize) -> Result<&[u8]> {
    let range: Range<usize> = start..start.checked_add(len).ok_or(CUT)?;
    bytes.get(range).ok_or(CUT)
}

/// Little-endian fields of a record.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn u16(&self, place: usize) -> usize {
        usize::from(u16::from_le_bytes([self.0[place], self.0[place + 1]]))
    }

    fn u32(&self, place: usize) -> usize {
        self.u16(place) | self.u16(place + 2) << 16
    }

    fn u64(&self, place: usize) -> Result<usize> {
        let bytes = self.0.get(place..).and_then(|bytes| bytes.first_chunk()).ok_or(CUT)?;
        usize::try_from(u64::from_le_bytes(*bytes)).map_err(|_| CUT)
    }
}

/// The checksum of ZIP (ISO 3309), a nibble at a time.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 16] = {
        let mut table = [0; 16];
        let mut index = 0;
        while index < 16 {
            let mut value = index as u32;
            let mut bit = 0;
            while bit < 4 {
                value = if value & 1 == 1 { value >> 1 ^ 0xedb8_8320 } else { value >> 1 };
                bit += 1;
            }
            table[index] = value;
            index += 1;
        }
        table
    };
    let step = |crc: u32, nibble: u32| TABLE[((crc ^ nibble) & 15) as usize] ^ (crc >> 4);
    !bytes.iter().fold(!0, |crc, &byte| {
        let byte = u32::from(byte);
        step(step(crc, byte), byte >> 4)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn sizes_too_large_for_the_header_are_in_the_extension() {
        let mut extra = vec![9, 0, 2, 0, 7, 7, 1, 0, 16, 0];
        extra.extend(5_000_000_000u64.to_le_bytes());
        extra.extend(6_000_000_000u64.to_le_bytes());
        assert_eq!(wide([12, NARROW, NARROW], &extra), Ok((12, 5_000_000_000, 6_000_000_000)));
        assert_eq!(wide([NARROW, NARROW, NARROW], &extra), Err(CUT));
        assert_eq!(wide([1, 2, 3], &[1, 0, 200, 0]), Err(CUT));
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        for bytes in [&b""[..], b"PK\x03\x04", &[b'P'; 300], b"PK\x05\x06aaaaaaaaaaaaaaaaaa"] {
            assert!(Archive::open(bytes).is_err());
        }
    }
}
