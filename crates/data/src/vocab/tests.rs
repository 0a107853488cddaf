use proptest::prelude::*;

use super::*;

#[test]
fn ids_follow_the_code_points_whatever_the_texts_order() {
    let vocab = Vocab::from_text("zébra Zé\n");
    assert_eq!(vocab.chars(), ['\n', ' ', 'Z', 'a', 'b', 'r', 'z', 'é']);
    assert_eq!(vocab.len(), 8);
    assert_eq!((vocab.id('\n'), vocab.id('é')), (Some(0), Some(7)));
    assert_eq!((vocab.id('x'), vocab.id('è')), (None, None));
    assert_eq!((vocab.char(6), vocab.char(8)), (Some('z'), None));
    assert_eq!(vocab, Vocab::from_chars("\n aébrzZ".chars()));
}

#[test]
fn a_given_order_is_kept() {
    let vocab = Vocab::from_ordered(vec!['b', 'ß', 'a']).unwrap();
    assert_eq!((vocab.id('b'), vocab.id('ß'), vocab.id('a')), (Some(0), Some(1), Some(2)));
    assert_ne!(vocab, Vocab::from_text("abß"));
    let error = Vocab::from_ordered(vec!['a', '\n', 'b', '\n']).unwrap_err();
    assert_eq!(error.to_string(), "the vocabulary has `\\n` twice");
}

#[test]
fn unknown_characters_are_named_once_each_in_order() {
    let error = Vocab::from_text("abc").encode("a\tzé\tb\u{301}z").unwrap_err();
    assert_eq!(error.chars, ['\t', 'z', 'é', '\u{301}']);
    assert_eq!(error.to_string(), "characters not in the vocabulary: `\\t`, `z`, `é`, `U+0301`");
    let error = Vocab::from_text("abc").encode("ad").unwrap_err();
    assert_eq!(error.to_string(), "character not in the vocabulary: `d`");
}

#[test]
fn invisible_characters_are_displayed_as_escapes_or_code_points() {
    let shown: Vec<_> = "\n\r\t \u{a0}\0\u{7f}\u{feff}\u{2028}'\"\\é字🦀"
        .chars()
        .map(|char| EscapedChar(char).to_string())
        .collect();
    assert_eq!(
        shown,
        [
            "\\n", "\\r", "\\t", " ", "U+00A0", "U+0000", "U+007F", "U+FEFF", "U+2028", "'", "\"",
            "\\", "é", "字", "🦀"
        ]
    );
}

#[test]
fn an_id_beyond_the_vocabulary_decodes_to_the_replacement_character() {
    assert_eq!(Vocab::from_text("ab").decode([1, 2, 0]), "b\u{fffd}a");
}

#[test]
fn a_vocabulary_file_keeps_every_character_and_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vocab.toml");
    // Everything that is special in TOML: control characters, quotes, line ends, U+FEFF. And not in code-point order.
    let mut chars: Vec<char> = ('\0'..='\u{2ff}').chain("\u{feff}\u{2028}🦀".chars()).collect();
    chars.reverse();
    let vocab = Vocab::from_ordered(chars).unwrap();
    let characters = toml::Value::String(vocab.clone().into());
    std::fs::write(&path, format!("format = 1\ncharacters = {characters}\n")).unwrap();
    assert_eq!(Vocab::load(&path).unwrap(), vocab);
}

#[test]
fn what_is_not_a_vocabulary_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vocab.toml");
    for (text, reason) in [
        ("format = 1\ncharacters = \"aba\"", "the vocabulary has `a` twice"),
        ("format = 1\ncharacters = \"\"", "it has no characters"),
        ("format = 2\ncharacters = \"ab\"", "its format is 2, but this version reads only 1"),
        ("format = 1", "missing field `characters`"),
        ("format = 1\ncharacters = \"ab\"\nmore = 1", "unknown field `more`"),
        ("just text", "expected"),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = Vocab::load(&path).unwrap_err().to_string();
        assert!(error.contains("vocab.toml` is not a vocabulary file: "), "{error}");
        assert!(error.contains(reason), "{error}\nfor {reason}");
    }
    let error = Vocab::load("no/such/vocab.toml").unwrap_err();
    assert!(matches!(error, VocabError::Unreadable { .. }));
}

#[test]
fn a_vocabulary_serialises_as_a_string() {
    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    struct Holder {
        vocab: Vocab,
    }
    let vocab = Vocab::from_ordered(vec!['b', 'a']).unwrap();
    let text = toml::to_string(&Holder { vocab: vocab.clone() }).unwrap();
    assert_eq!(text.trim(), "vocab = \"ba\"");
    assert_eq!(toml::from_str::<Holder>(&text).unwrap(), Holder { vocab });
    assert!(toml::from_str::<Holder>("vocab = \"bb\"").is_err());
}

/// Texts of any characters at all.
fn texts() -> impl Strategy<Value = String> {
    proptest::collection::vec(any::<char>(), 0..64).prop_map(String::from_iter)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn decoding_undoes_encoding(text in texts()) {
        let vocab = Vocab::from_text(&text);
        let ids = vocab.encode(&text).unwrap();
        prop_assert_eq!(ids.len(), text.chars().count());
        prop_assert_eq!(vocab.decode(&ids), text);
    }

    #[test]
    fn every_character_has_the_id_that_gives_it_back(text in texts()) {
        let vocab = Vocab::from_text(&text);
        prop_assert!(vocab.chars().is_sorted());
        for (place, &char) in vocab.chars().iter().enumerate() {
            prop_assert_eq!(vocab.id(char), Some(place as u32));
            prop_assert_eq!(vocab.char(place as u32), Some(char));
        }
    }
}
