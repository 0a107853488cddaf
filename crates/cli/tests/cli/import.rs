//! `charloom import`: PyTorch files become models, or are refused with a reason.

use std::path::Path;

use crate::world::World;

/// A file that `crates/model/tests/pytorch_files/make.py` wrote.
fn pytorch_file(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/pytorch_files");
    std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn world_with(names: &[&str]) -> World {
    let world = World::new();
    for name in names {
        world.write(name, pytorch_file(name));
    }
    world
}

/// The message of `import` about a file with this content, which it must refuse without writing anything.
#[track_caller]
fn refused(content: impl AsRef<[u8]>) -> String {
    let world = World::new();
    world.write("net.pt", content);
    let message = world.run("import net.pt").fails(2);
    assert!(!world.exists("net.safetensors"));
    message
}

#[test]
fn the_exercises_checkpoint_becomes_a_model_that_evaluates_and_generates() {
    let world = world_with(&["lstm_exercise.pt"]);
    let ran = world.run("import lstm_exercise.pt").succeeds();
    assert_eq!(ran.out, "");
    insta::assert_snapshot!(ran.err, @r"
    network     lstm, 2 layers of 5, one-hot input of 7, two biases, dropout 0
    tensors     `state_dict.lstm.weight_ih_l0` first layer, `state_dict.fc.weight` output
    characters  7: `o`, ` `, `m`, `t`, `é`, `l`, `\n`
                from `tokens` in the file
    model       `lstm_exercise.safetensors`

    to generate text:  charloom generate --model lstm_exercise.safetensors
    ");
    world.write("text.txt", "loom toll\nmolt é omolot\n");
    let eval = world.run("eval --model lstm_exercise.safetensors --text text.txt").succeeds().out;
    // As PyTorch computes it: 2.04872.
    assert!(eval.contains("loss        2.0487 nats per character"), "{eval}");
    let text = world
        .run("generate --model lstm_exercise.safetensors --prime loom --length 9 --seed 1")
        .succeeds()
        .out;
    assert_eq!(text.chars().count(), 13);
    world.run("inspect lstm_exercise.safetensors").succeeds();
}

#[test]
fn a_bare_state_dict_takes_its_vocabulary_from_a_file_or_a_text() {
    let world = world_with(&["lstm_bare.pt", "rnn_relu.pt"]);
    world.write("chars.json", r#"["o", " ", "m", "t", "é", "l", "\n"]"#);
    world.run("import lstm_bare.pt --vocab chars.json --output given.safetensors").succeeds();
    world.write("text.txt", "loom toll\nmolt é omolot\n");
    let eval = world.run("eval --model given.safetensors --text text.txt").succeeds().out;
    assert!(eval.contains("loss        2.0189 nats per character"), "{eval}");

    world.run("import lstm_bare.pt --vocab-from text.txt").succeeds();
    let shown = world.run("inspect lstm_bare.safetensors").succeeds().out;
    assert!(shown.contains("characters  7: `\\n`, ` `, `l`, `m`, `o`, `t`, `é`"), "{shown}");

    let relu = world.run("import rnn_relu.pt --cell relu").succeeds();
    assert!(relu.err.contains("relu, 2 layers of 5"), "{}", relu.err);
    let eval = world.run("eval --model rnn_relu.safetensors --text text.txt").succeeds().out;
    assert!(eval.contains("loss        2.2126 nats per character"), "{eval}");
}

#[test]
fn an_existing_model_is_overwritten_only_with_force() {
    let world = world_with(&["rnn_tanh.pt"]);
    world.write("rnn_tanh.safetensors", "precious");
    insta::assert_snapshot!(world.run("import rnn_tanh.pt").fails(2), @"
    error: `rnn_tanh.safetensors` already exists

    hint: `--force` overwrites it; `--output FILE` writes to another file
    ");
    assert_eq!(world.read("rnn_tanh.safetensors"), "precious");
    let ran = world.run("import rnn_tanh.pt --force").succeeds();
    assert!(ran.err.contains("if they are ReLU"), "{}", ran.err);
    world.run("inspect rnn_tanh.safetensors").succeeds();
}

#[test]
fn the_imported_file_is_never_overwritten() {
    let world = world_with(&["rnn_tanh.pt"]);
    let import = "import rnn_tanh.pt --output rnn_tanh.pt --force";
    insta::assert_snapshot!(world.run(import).fails(2), @"
    error: the model would overwrite `rnn_tanh.pt`, the file to import

    hint: `--output FILE` writes to another file
    ");
    world.run("import rnn_tanh.pt").succeeds();
}

#[test]
fn what_is_not_from_pytorch_is_refused() {
    insta::assert_snapshot!(refused("It was a dark and stormy night."), @r#"
    error: `net.pt` is not a complete `torch.save` file: it is neither a ZIP archive nor a pickle

    hint: in Python, `torch.save(model.state_dict(), "weights.pt")` writes a file that can be imported
    "#);
    insta::assert_snapshot!(refused(""), @r#"
    error: `net.pt` is not a complete `torch.save` file: it is neither a ZIP archive nor a pickle

    hint: in Python, `torch.save(model.state_dict(), "weights.pt")` writes a file that can be imported
    "#);
    insta::assert_snapshot!(World::new().run("import none.pt").fails(2), @"error: there is no file `none.pt`");
    insta::assert_snapshot!(refused(b"PK\x03\x04 and nothing more"), @"
    error: `net.pt` is not a complete `torch.save` file: its ZIP archive can't be read: Missing end of central directory

    hint: a file that was copied or downloaded in part is truncated: copy it again
    ");
}

#[test]
fn a_truncated_file_is_refused() {
    for name in ["lstm_exercise.pt", "legacy.pt"] {
        let bytes = pytorch_file(name);
        let message = refused(&bytes[..bytes.len() - 40]);
        assert!(
            message.starts_with("error: `net.pt` is not a complete `torch.save` file: "),
            "{message}"
        );
        assert!(
            message.ends_with(
                "hint: a file that was copied or downloaded in part is truncated: copy it again"
            ),
            "{message}"
        );
    }
}

#[test]
fn a_malicious_file_is_read_as_data_and_runs_nothing() {
    let world = world_with(&["malicious.pt"]);
    let ran = world.run("import malicious.pt").succeeds();
    assert!(!(ran.out + &ran.err).contains("this must never be seen"));
}

#[test]
fn two_readings_are_refused_with_the_flag_that_chooses_one() {
    let world = World::new();
    // The embedding has the output layer's shape, and no name says more.
    let shapes =
        [("a", [7, 5]), ("b", [7, 5]), ("r.weight_ih_l0", [20, 5]), ("r.weight_hh_l0", [20, 5])];
    let mut header = serde_json::Map::new();
    let mut end = 0;
    for (name, shape) in shapes {
        let start = end;
        end += 4 * shape[0] * shape[1];
        let info =
            serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [start, end]});
        header.insert(name.to_owned(), info);
    }
    header.insert("__metadata__".into(), serde_json::json!({"chars": "\"abcdefg\""}));
    let header = serde_json::Value::from(header).to_string();
    let length = (header.len() as u64).to_le_bytes();
    world.write("two.safetensors", [&length, header.as_bytes(), &vec![0; end]].concat());
    let import = "import two.safetensors --output out.safetensors";
    insta::assert_snapshot!(world.run(import).fails(2), @"
    error: `two.safetensors` is not a character model: two readings are possible: `a` or `b` is the output layer, the other the embedding

    hint: `--map 'a=fc.weight'` chooses one reading; docs/interop.md has the roles
    ");
    let ran = world.run(&format!("{import} --map b=fc.weight")).succeeds();
    assert!(
        ran.err.contains("tensors     `a` embedding, `r.weight_ih_l0` first layer, `b` output"),
        "{}",
        ran.err
    );
    let message = world.run("import two.safetensors --map b=output").fails(2);
    assert!(message.contains("it must be NAME=ROLE"), "{message}");
}

#[test]
fn an_unknown_layout_lists_its_tensors() {
    insta::assert_snapshot!(refused(pytorch_file("no_linear.pt")), @"
    error: `net.pt` is not a character model: it has no output layer: no matrix [V, 5] maps its 5 hidden units to characters

    hint: the file has the tensors `weight_ih_l0` [20, 7], `weight_hh_l0` [20, 5], `bias_ih_l0` [20], `bias_hh_l0` [20], `weight_ih_l1` [20, 5], `weight_hh_l1` [20, 5], `bias_ih_l1` [20], `bias_hh_l1` [20]
    ");
    let message = refused(pytorch_file("bidirectional.pt"));
    assert!(
        message.contains("`state_dict.lstm.weight_ih_l0_reverse` [20, 7] is of a bidirectional"),
        "{message}"
    );
}

#[test]
fn a_network_without_a_vocabulary_is_refused() {
    insta::assert_snapshot!(refused(pytorch_file("lstm_bare.pt")), @"
    error: `net.pt` does not say which characters its 7 ids stand for

    hint: `--vocab FILE` gives the characters in the order of their ids; `--vocab-from TEXT` takes those of a text, sorted by code point
    ");
}

#[test]
fn a_vocabulary_of_another_size_is_refused() {
    let world = world_with(&["lstm_bare.pt"]);
    world.write("few.txt", "loom\n");
    insta::assert_snapshot!(world.run("import lstm_bare.pt --vocab-from few.txt").fails(2), @"
    error: the vocabulary has 4 characters, but the network of `lstm_bare.pt` has 7

    hint: `--vocab FILE` or `--vocab-from TEXT` must give the 7 characters that the network was trained on
    ");
    world.write("chars.json", r#"["a", "b"]"#);
    let message = world.run("import lstm_bare.pt --vocab chars.json").fails(2);
    assert!(
        message.contains("has 2 characters, but the network of `lstm_bare.pt` has 7"),
        "{message}"
    );
    let message = refused(pytorch_file("tokens_short.pt"));
    assert!(
        message.contains("`tokens` in `net.pt` has 6 characters, but the network has 7"),
        "{message}"
    );
    assert!(!world.exists("lstm_bare.safetensors"));
}

#[test]
fn an_invalid_vocabulary_file_is_named() {
    let world = world_with(&["lstm_bare.pt"]);
    world.write("chars.json", r#"["ab", "c"]"#);
    insta::assert_snapshot!(world.run("import lstm_bare.pt --vocab chars.json").fails(2), @"error: `chars.json` is not a vocabulary file: `ab` is not one character");
    let message = world.run("import lstm_bare.pt --vocab none.json").fails(2);
    assert!(message.contains("could not read the vocabulary file `none.json`"), "{message}");
    let message = world.run("import lstm_bare.pt --vocab-from none.txt").fails(2);
    assert!(message.contains("there is no file `none.txt`"), "{message}");
    let message = world.run("import lstm_bare.pt --vocab a --vocab-from b").fails(2);
    assert!(message.contains("cannot be used with"), "{message}");
}

#[test]
fn a_cell_that_contradicts_the_weights_is_refused() {
    let world = world_with(&["lstm_exercise.pt"]);
    let message = world.run("import lstm_exercise.pt --cell gru").fails(2);
    assert!(message.contains("its weights are those of lstm cells, not of gru cells"), "{message}");
    let message = world.run("import lstm_exercise.pt --cell lstn").fails(2);
    assert!(message.contains("it must be lstm, gru, tanh or relu"), "{message}");
}

#[test]
fn a_folder_that_cannot_be_written_fails_the_work() {
    let world = world_with(&["lstm_exercise.pt"]);
    world.write("file", "");
    let message = world.run("import lstm_exercise.pt --output file/model.safetensors").fails(1);
    assert!(message.starts_with("error: cannot write the model file"), "{message}");
}
