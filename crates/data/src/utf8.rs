//! UTF-8 decoding of a stream, chunk by chunk.

use std::io::{self, Read};

/// Why a stream couldn't be decoded.
#[derive(Debug)]
pub(crate) enum DecodeError {
    Io(io::Error),
    /// The bytes at `offset`, counted from 0, are no character of the encoding.
    Invalid {
        offset: u64,
    },
}

/// Bytes read at a time: enough to make the number of calls irrelevant, few enough to stay in the cache.
pub(crate) const CHUNK: usize = 64 * 1024;

/// Reads until there is something, the end or an error: a signal is none.
pub(crate) fn read_some(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// Passes the text of `reader` to `take` in pieces that end at character boundaries, until the end of the text or until
/// `take` returns `false`.
pub(crate) fn decode_chunks(
    mut reader: impl Read,
    mut take: impl FnMut(&str) -> bool,
) -> Result<(), DecodeError> {
    let mut buffer = vec![0; CHUNK];
    // Bytes at the front of the buffer: the start of a character whose remaining bytes have not been read.
    let mut kept = 0;
    let mut decoded: u64 = 0;
    loop {
        let read = read_some(&mut reader, &mut buffer[kept..]).map_err(DecodeError::Io)?;
        let filled = kept + read;
        let valid = match std::str::from_utf8(&buffer[..filled]) {
            Ok(_) => filled,
            // `error_len` is `None` where the bytes end within a character, which more bytes may complete.
            Err(error) if error.error_len().is_none() && read > 0 => error.valid_up_to(),
            Err(error) => {
                let offset = decoded + error.valid_up_to() as u64;
                return Err(DecodeError::Invalid { offset });
            }
        };
        // Validated above, so the default is never taken.
        let text = std::str::from_utf8(&buffer[..valid]).unwrap_or_default();
        if read == 0 || !take(text) {
            return Ok(());
        }
        decoded += valid as u64;
        buffer.copy_within(valid..filled, 0);
        kept = filled - valid;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Yields `step` bytes per read.
    struct SlowReader<'a>(&'a [u8], usize);

    impl Read for SlowReader<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let step = self.1.min(buffer.len());
            self.0.read(&mut buffer[..step])
        }
    }

    fn decode(bytes: &[u8], step: usize) -> Result<String, DecodeError> {
        let mut all = String::new();
        decode_chunks(SlowReader(bytes, step), |text| {
            all.push_str(text);
            true
        })?;
        Ok(all)
    }

    #[test]
    fn characters_that_lie_across_chunks_stay_whole() {
        let text = "aé字🦀é";
        for step in 1..=text.len() {
            assert_eq!(decode(text.as_bytes(), step).unwrap(), text, "{step}");
        }
        // And across the real chunks.
        let long = "字".repeat(CHUNK);
        assert_eq!(decode(long.as_bytes(), usize::MAX).unwrap(), long);
    }

    #[test]
    fn a_wrong_byte_is_found_where_it_is() {
        for step in 1..9 {
            let found = decode(b"ab\xc3\xa9\xff!", step);
            assert!(matches!(found, Err(DecodeError::Invalid { offset: 4 })));
        }
    }

    #[test]
    fn an_end_within_a_character_is_not_utf8() {
        for step in 1..9 {
            let found = decode(b"abc\xf0\x9f\xa6", step);
            assert!(matches!(found, Err(DecodeError::Invalid { offset: 3 })));
        }
    }
}
