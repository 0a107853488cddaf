use super::*;
use crate::text_format::{Newlines, Normalize};

/// The text of these files, read with a format, and what is said about it.
fn read_as(files: &[&[u8]], format: TextFormat) -> Result<(String, Vec<String>), String> {
    let folder = tempfile::tempdir().unwrap();
    let paths = (files.iter().zip('a'..)).map(|(bytes, name)| {
        let path = folder.path().join(format!("{name}.txt"));
        std::fs::write(&path, bytes).unwrap();
        path
    });
    let root = format!("{}/", folder.path().display());
    let short = |message: String| message.replace(&root, "");
    let paths: TextPaths = paths.collect::<Vec<_>>().into();
    let text = Text::open(&paths, format).map_err(|error| short(error.to_string()))?;
    let corpus = text.corpus().map_err(|error| short(error.to_string()))?;
    let again = Text::open(&paths, format).unwrap().read_to_string().unwrap();
    let decoded = corpus.vocab().decode(corpus.ids());
    assert_eq!(again, (decoded.clone(), corpus.notes().to_vec()));
    Ok((decoded, corpus.notes().iter().map(|note| short(note.to_string())).collect()))
}

fn read(bytes: &[u8]) -> Result<(String, Vec<String>), String> {
    read_as(&[bytes], TextFormat::default())
}

/// A text as it is read, and the one note about it.
#[track_caller]
fn becomes(bytes: &[u8], text: &str, note: &str) {
    let (read, notes) = read(bytes).unwrap();
    assert_eq!(read, text);
    assert_eq!(notes, [note]);
}

#[test]
fn a_byte_order_mark_tells_the_encoding_and_is_left_out() {
    let text = "Grüße, 🦀!\n";
    let units: Vec<u16> = "\u{feff}".encode_utf16().chain(text.encode_utf16()).collect();
    let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    becomes(&little, text, "`a.txt` is decoded from UTF-16LE");
    becomes(&big, text, "`a.txt` is decoded from UTF-16BE");
    let marked = format!("\u{feff}{text}");
    becomes(marked.as_bytes(), text, "`a.txt` has a byte-order mark, which is left out");
    // Elsewhere it is a character.
    assert_eq!(read("a\u{feff}b".as_bytes()).unwrap(), ("a\u{feff}b".to_owned(), vec![]));
}

#[test]
fn windows_1252_is_recognised() {
    let bytes = b"Un caf\xe9, s'il vous pla\xeet \x97 merci.\nL'\xe9t\xe9 \xe0 No\xebl.\n";
    let text = "Un café, s'il vous plaît — merci.\nL'été à Noël.\n";
    becomes(bytes, text, "`a.txt` is decoded from windows-1252");
    // A single character at the end is not the start of one of UTF-8.
    becomes(b"un caf\xe9", "un café", "`a.txt` is decoded from windows-1252");
}

#[test]
fn another_encoding_is_read_by_its_name_and_guessed_otherwise() {
    let text = "Мой дядя самых честных правил,\nКогда не в шутку занемог,\n";
    let (bytes, ..) = encoding_rs::KOI8_U.encode(text);
    let error = read(&bytes).unwrap_err();
    let guess = "`a.txt` is not UTF-8 text: invalid byte at offset 0; its encoding may be KOI8-U";
    assert_eq!(error, guess);
    let encoding = crate::encoding_of("koi8-u").unwrap();
    let format = TextFormat { encoding, ..TextFormat::default() };
    let (decoded, notes) = read_as(&[&bytes], format).unwrap();
    assert_eq!(decoded, text);
    assert_eq!(notes, ["`a.txt` is decoded from KOI8-U"]);
    // Longer than a chunk, with characters of two bytes.
    let long = "論語 子曰 學而時習之 不亦說乎\n".repeat(9_000);
    let (bytes, ..) = encoding_rs::BIG5.encode(&long);
    let encoding = crate::encoding_of("Big5").unwrap();
    let format = TextFormat { encoding, ..TextFormat::default() };
    assert_eq!(read_as(&[&bytes], format).unwrap().0, long);
}

#[test]
fn bytes_that_the_encoding_does_not_have_are_found() {
    let named = |name: &str, bytes: &[u8]| {
        let encoding = crate::encoding_of(name).unwrap();
        read_as(&[bytes], TextFormat { encoding, ..TextFormat::default() }).unwrap_err()
    };
    let expected = "`a.txt` is not UTF-8 text: invalid byte at offset 3";
    assert_eq!(named("utf-8", b"caf\xe9!"), expected);
    let expected = "`a.txt` is not Shift_JIS text: invalid byte at offset 2";
    assert_eq!(named("shift_jis", b"ab\xa0\xff"), expected);
    // A mark says that it is UTF-16; the last unit is cut.
    let expected = "`a.txt` is not UTF-16LE text: invalid byte at offset 6";
    assert_eq!(read(b"\xff\xfea\0b\0c").unwrap_err(), expected);
}

#[test]
fn a_file_that_is_cut_or_no_text_is_named() {
    for (bytes, expected) in [
        (&b"\x1f\x8b\x08\0\0\0"[..], "`a.txt` is a gzip file: text is needed"),
        (b"%PDF-1.4\n%\xe2\xe3", "`a.txt` is a PDF document: text is needed"),
        (b"\x93\0\x01\xfe\x07\0\0\x80", "`a.txt` is binary data: text is needed"),
        (b"\xe4\0b\0 \0c\0", "`a.txt` is text in UTF-16 without a byte-order mark: text is needed"),
        (
            "né 字".as_bytes().split_last().unwrap().1,
            "`a.txt` ends within a character, at offset 4: its end is missing",
        ),
    ] {
        assert_eq!(read(bytes).unwrap_err(), expected);
    }
}

#[test]
fn line_ends_are_normalised_as_pythons_text_mode_does() {
    let note = "`a.txt` has line ends with `\\r`, which are read as `\\n`";
    becomes(b"a\r\nb\rc\n", "a\nb\nc\n", note);
    let keep = TextFormat { newlines: Newlines::Keep, ..TextFormat::default() };
    assert_eq!(read_as(&[b"a\r\nb"], keep).unwrap(), ("a\r\nb".to_owned(), vec![]));
}

#[test]
fn letters_and_their_marks_are_composed_on_request() {
    let decomposed = "cafe\u{301}s";
    assert_eq!(read(decomposed.as_bytes()).unwrap().0, decomposed);
    let nfc = TextFormat { normalize: Normalize::Nfc, ..TextFormat::default() };
    assert_eq!(read_as(&[decomposed.as_bytes()], nfc).unwrap().0, "cafés");
}

#[test]
fn files_are_read_one_after_the_other_each_in_its_encoding() {
    let (text, notes) =
        read_as(&[b"caf\xc3\xa9\r", b"caf\xe9\r\n", b"\n", b"a\r"], TextFormat::default()).unwrap();
    assert_eq!(text, "café\ncafé\n\na\n");
    assert_eq!(
        notes,
        [
            "`a.txt` and 2 other files have line ends with `\\r`, which are read as `\\n`",
            "`b.txt` is decoded from windows-1252",
        ]
    );
}

#[test]
fn the_checksum_covers_all_files() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["b", "a"].map(|name| folder.path().join(name));
    std::fs::write(&paths[0], "hello ").unwrap();
    std::fs::write(&paths[1], "world").unwrap();
    let paths: TextPaths = paths.to_vec().into();
    let corpus = Text::open(&paths, TextFormat::default()).unwrap().corpus().unwrap();
    let whole = Corpus::from_text("hello world").unwrap();
    assert_eq!(corpus.sha256(), whole.sha256());
    assert_eq!(corpus.ids(), whole.ids());
    assert_eq!(corpus.files(), paths.as_slice());
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo makes a pipe");
    let long = "weft and warp\n".repeat(20_000);
    let writer = std::thread::spawn({
        let (pipe, long) = (pipe.clone(), long.clone());
        move || std::fs::write(pipe, long)
    });
    let corpus = Corpus::read(&pipe).unwrap();
    writer.join().unwrap().unwrap();
    assert_eq!(corpus.vocab().decode(corpus.ids()), long);
}
