//! A vocabulary file of any bytes is read or refused.
#![no_main]

use charloom_fuzz::with_file;
use charloom_model::read_vocab;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    with_file(content, |path| {
        if let Ok(vocab) = read_vocab(path) {
            let text: String = vocab.chars().iter().collect();
            assert!(vocab.encode(&text).is_ok_and(|ids| vocab.decode(&ids) == text));
        }
    });
});
