use std::error::Error;

use super::*;

/// A folder with one file of these bytes, and the file's path.
fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.txt");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// The error of `Corpus::read` for these bytes, with the path cut to the file's name.
fn message(bytes: &[u8]) -> String {
    let (folder, path) = file(bytes);
    let error = Corpus::read(path).unwrap_err().to_string();
    error.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn a_file_is_read_as_it_is() {
    let text = "Ab\nbé\t🦀b";
    let (_folder, path) = file(text.as_bytes());
    let corpus = Corpus::read(&path).unwrap();
    // In code-point order: tab, newline, A, b, é, the crab.
    assert_eq!(corpus.vocab().chars(), ['\t', '\n', 'A', 'b', 'é', '🦀']);
    let ids: Vec<_> = corpus.ids().iter().collect();
    assert_eq!(ids, [2, 3, 1, 3, 4, 0, 5, 3]);
    assert_eq!(corpus.chars(), 8);
    assert_eq!(corpus.vocab().decode(corpus.ids()), text);
    assert_eq!(corpus.files(), [path]);
}

#[test]
fn the_checksum_is_that_of_the_bytes() {
    // The checksum that `printf 'hello world' | sha256sum` prints.
    let sum = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";
    let (_folder, path) = file(b"hello world");
    assert_eq!(Corpus::read(path).unwrap().sha256(), sum);
    let corpus = Corpus::from_text("hello world").unwrap();
    assert_eq!(corpus.sha256(), sum);
    assert!(corpus.files().is_empty());
}

#[test]
fn a_text_longer_than_a_chunk_is_whole() {
    let text = "wörter und wörter\n".repeat(20_000);
    let (_folder, path) = file(text.as_bytes());
    let read = Corpus::read(path).unwrap();
    let made = Corpus::from_text(&text).unwrap();
    assert_eq!(read.chars(), 18 * 20_000);
    assert_eq!(read.ids(), made.ids());
    assert_eq!(read.vocab(), made.vocab());
    assert_eq!(read.sha256(), made.sha256());
}

#[test]
fn what_cannot_be_learned_from_is_refused() {
    assert_eq!(message(b""), "`text.txt` is empty");
    assert_eq!(message(b"x"), "`text.txt` contains only one distinct character, `x` (once)");
    let newlines = message(b"\n\n\n");
    assert_eq!(newlines, "`text.txt` contains only one distinct character, `\\n` (3 times)");
    let error = Corpus::from_text("").unwrap_err();
    assert_eq!(error.to_string(), "the text is empty");
}

#[test]
fn a_missing_file_and_an_empty_folder_are_different_errors() {
    let error = Corpus::read("no/such/text.txt").unwrap_err();
    assert_eq!(error.to_string(), "there is no file `no/such/text.txt`");
    let folder = tempfile::tempdir().unwrap();
    let error = Corpus::read(folder.path()).unwrap_err();
    assert!(error.to_string().starts_with("there are no files in `"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_device_is_not_a_text() {
    let error = Corpus::read("/dev/null").unwrap_err();
    assert_eq!(error.to_string(), "`/dev/null` is not a regular file");
}

#[test]
fn an_unreadable_file_keeps_its_cause() {
    // A file in the place of a folder: not even root can read below it.
    let (_folder, path) = file(b"ab");
    let error = Corpus::read(path.join("below")).unwrap_err();
    assert!(matches!(error, CorpusError::Unreadable { .. }), "{error}");
    assert!(error.source().is_some());
}

#[test]
fn under_a_given_vocabulary_the_ids_are_its_own() {
    let vocab = Vocab::from_ordered(vec!['c', 'a', 'b']).unwrap();
    let (_folder, path) = file(b"aac");
    let corpus = Corpus::read_with_vocab(&path, &vocab).unwrap();
    assert_eq!(corpus.ids().iter().collect::<Vec<_>>(), [1, 1, 0]);
    assert_eq!(corpus.vocab(), &vocab);
}

#[test]
fn characters_that_the_vocabulary_lacks_are_counted_and_placed() {
    let vocab = Vocab::from_text("abcdé\n");
    let (folder, path) = file("ab\nacé!b?\u{a0}??\n".as_bytes());
    let error = Corpus::read_with_vocab(&path, &vocab).unwrap_err();
    let expected = "`text.txt` has 3 characters that the vocabulary lacks, first at line 2, column 4: \
                    `?` (3 times), `!` (once), `U+00A0` (once)";
    let shown = error.to_string();
    assert_eq!(shown.replace(&format!("{}/", folder.path().display()), ""), expected);
}

#[test]
fn of_many_unknown_characters_the_most_frequent_are_named() {
    let (_folder, path) = file(b"aqwertyuiopp");
    let error = Corpus::read_with_vocab(path, &Vocab::from_text("a")).unwrap_err();
    let shown = error.to_string();
    assert!(shown.contains("has 10 characters"), "{shown}");
    assert!(
        shown.ends_with(
            ": `p` (2 times), `e` (once), `i` (once), `o` (once), `q` (once) and 5 more"
        ),
        "{shown}"
    );
}

#[test]
fn a_text_is_read_in_the_ids_of_another_vocabulary() {
    let corpus = Corpus::from_text("cabba").unwrap();
    let vocab = Vocab::from_ordered(vec!['z', 'c', 'b', 'a']).unwrap();
    let other = corpus.with_vocab(&vocab).unwrap();
    assert_eq!(other.ids().iter().collect::<Vec<_>>(), [1, 3, 2, 2, 3]);
    assert_eq!((other.vocab(), other.sha256()), (&vocab, corpus.sha256()));
    let unknown = corpus.with_vocab(&Vocab::from_text("bz")).unwrap_err();
    assert_eq!(unknown.chars, ['a', 'c']);
}

#[test]
fn an_empty_file_is_empty_under_any_vocabulary() {
    let (_folder, path) = file(b"");
    let error = Corpus::read_with_vocab(path, &Vocab::from_text("a")).unwrap_err();
    assert!(matches!(error, CorpusError::Empty(_)));
}
