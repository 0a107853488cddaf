//! Invalid model files, and invalid requests to models.

use crate::world::World;

/// The message about a valid model file after a change to it.
#[track_caller]
fn refused(change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let world = World::with_run();
    let bytes = std::fs::read(world.path("runs/tiny/model.safetensors")).unwrap();
    world.write("model.safetensors", change(bytes));
    for line in ["inspect model.safetensors", "eval --model model.safetensors --text text.txt"] {
        world.run(line).fails(2);
    }
    world.run("generate --model model.safetensors").fails(2)
}

/// The same, with `from` replaced by an equally long `to`.
fn replaced(bytes: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    let (from, to) = (from.as_bytes(), to.as_bytes());
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len()).position(|part| part == from).unwrap();
    let mut bytes = bytes;
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

#[test]
fn a_truncated_model_is_refused() {
    let header = refused(|bytes| bytes[..200].to_vec());
    let tensors = refused(|bytes| bytes[..bytes.len() - 5].to_vec());
    for message in [header, tensors] {
        assert!(
            message
                .starts_with("error: `model.safetensors` is truncated or not a safetensors file: "),
            "{message}"
        );
        assert!(
            message.ends_with(
                "\n\nhint: a file that was copied or downloaded in part is truncated: copy it again"
            ),
            "{message}"
        );
    }
}

#[test]
fn a_model_of_another_version_is_refused() {
    insta::assert_snapshot!(
        refused(|bytes| replaced(bytes, r#""charloom.format_version":"1""#, r#""charloom.format_version":"7""#)),
        @"
    error: `model.safetensors` has format version `7`, but this program reads versions up to 1

    hint: a newer version of charloom may read it
    "
    );
}

#[test]
fn what_is_not_a_model_is_refused() {
    insta::assert_snapshot!(
        refused(|bytes| replaced(bytes, "charloom.vocab", "sharloom.vocab")),
        @"
    error: `model.safetensors` is not a charloom model: its metadata has no `charloom.vocab`

    hint: `charloom import model.safetensors` makes a model of PyTorch's weights
    "
    );
    let message = refused(|_| b"It was a dark and stormy night.".to_vec());
    assert!(message.contains("is truncated or not a safetensors file"), "{message}");
    let message = refused(|_| Vec::new());
    assert!(message.contains("is truncated or not a safetensors file"), "{message}");
}

#[test]
fn a_tensor_that_is_missing_is_named() {
    insta::assert_snapshot!(
        refused(|bytes| replaced(bytes, "rnn.bias_ih_l0", "rnn.bias_ih_l1")),
        @"error: `model.safetensors`: tensor `rnn.bias_ih_l0` is missing"
    );
}

#[test]
fn a_model_that_is_not_there_is_named() {
    let world = World::new();
    insta::assert_snapshot!(
        world.run("generate --model none.safetensors").fails(2),
        @"error: there is no model at `none.safetensors`"
    );
    insta::assert_snapshot!(world.run("generate").fails(2), @"
    error: there is no run in `runs`

    hint: `charloom train --text FILE` starts one
    ");
}

#[test]
fn a_prompt_of_unknown_characters_names_them() {
    let world = World::with_run();
    insta::assert_snapshot!(world.run_args(&["generate", "--prime", "the Loom?"]).fails(2), @r"
    error: cannot start from the prompt: characters not in the vocabulary: `L`, `?`

    hint: `--unknown skip` leaves them out; the model knows `\n`, ` `, `a`, `d`, `e`, `f`, `h`, `l`, `m`, `n`, `o`, `p`, `r`, `s`, `t`, `u`, `w`
    ");
}

#[test]
fn sampling_settings_out_of_range_name_their_flag() {
    let world = World::with_run();
    for (line, message) in [
        ("--temperature -1", "`--temperature` must be a number from 0 to 100, not `-1`"),
        ("--top-p 0", "`--top-p` must be a number above 0, up to 1, not `0`"),
        ("--top-k x", "`--top-k` must be a whole number from 0 to 1000000000, not `\"x\"`"),
        ("--length 1.5", "`--length` must be a whole number from 0 to 1000000000, not `1.5`"),
    ] {
        let found = world.run(&format!("generate {line}")).fails(2);
        let found = found.lines().filter(|line| line.starts_with("error")).collect::<String>();
        assert_eq!(found, format!("error: {message}"));
    }
}

#[test]
fn a_text_with_characters_that_the_model_lacks_is_refused_on_request() {
    let world = World::with_run();
    world.write("other.txt", "the loom\nthe zoom");
    insta::assert_snapshot!(world.run("eval --text other.txt --unknown error").fails(2), @"
    error: `other.txt` has 1 character that the vocabulary lacks, first at line 2, column 5: `z` (once)

    hint: a model can only read the characters that it was trained on; `--unknown skip` leaves others out
    ");
}
