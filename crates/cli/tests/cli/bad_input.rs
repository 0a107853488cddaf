//! Invalid requests: one message, exit code 2, and nothing is written.

use crate::world::{World, names, text};

/// Trains on a text that can't be used: nothing may be left behind.
#[track_caller]
fn refused(content: impl AsRef<[u8]>) -> String {
    refused_with(content, "")
}

/// The same, with further flags.
#[track_caller]
fn refused_with(content: impl AsRef<[u8]>, flags: &str) -> String {
    let world = World::new();
    world.write("text.txt", content);
    let message = world.train(flags).fails(2);
    assert_eq!(names(&world.path("runs")), [""; 0]);
    message
}

#[test]
fn a_missing_text_is_named() {
    let world = World::new();
    insta::assert_snapshot!(world.train("").fails(2), @"error: there is no file `text.txt`");
    assert!(!world.exists("runs"));
}

#[test]
fn the_hint_for_a_missing_dataset_downloads_it() {
    let world = World::new();
    insta::assert_snapshot!(world.run("train --text datasets/alice.txt").fails(2), @r"
    error: there is no file `datasets/alice.txt`

    hint: `charloom dataset get alice` downloads it
    ");
    insta::assert_snapshot!(world.run("train").fails(2), @"
    error: there is no file `datasets/burn-source.txt`

    hint: `--text FILE` names your own text; `charloom dataset get tiny-shakespeare` downloads one (in charloom's repository, `cargo xtask corpus` writes the default text)
    ");
}

#[test]
fn a_folder_without_files_is_refused_as_a_text() {
    let world = World::new();
    insta::assert_snapshot!(world.run("train --text .").fails(2), @r"
    error: there are no files in `.`

    hint: a text is in files, in a folder with files, or in those that a pattern such as `'poems/*.txt'` matches
    ");
    insta::assert_snapshot!(world.run("train --text *.tex").fails(2), @r"
    error: no file matches `*.tex`

    hint: a text is in files, in a folder with files, or in those that a pattern such as `'poems/*.txt'` matches
    ");
}

#[test]
fn an_empty_text_is_refused() {
    insta::assert_snapshot!(refused(""), @"error: `text.txt` is empty");
}

#[test]
fn a_text_of_one_character_is_refused() {
    insta::assert_snapshot!(
        refused("\n".repeat(300)),
        @r"error: `text.txt` contains only one distinct character, `\n` (300 times)"
    );
}

#[test]
fn a_text_in_an_encoding_that_can_only_be_guessed_is_refused_at_its_byte() {
    insta::assert_snapshot!(refused(b"\xc2\xe0\xf8\xe0 \xec\xe0\xec\xe0 \xec\xfb\xeb\xe0 \xf0\xe0\xec\xf3"), @"
    error: `text.txt` is not UTF-8 text: invalid byte at offset 0; its encoding may be windows-1251

    hint: `--encoding windows-1251` reads it so; any name of an encoding may be given
    ");
    insta::assert_snapshot!(refused_with(b"caf\xc3\xa9 caf\xe9 noir", "--encoding utf-8"), @"
    error: `text.txt` is not UTF-8 text: invalid byte at offset 9

    hint: `--encoding NAME` reads another encoding, such as windows-1252, koi8-r, shift_jis or gbk
    ");
    insta::assert_snapshot!(refused_with("a text", "--encoding ebcdic"), @r#"
    error: `--encoding` must be `"auto"` or the name of an encoding: `ebcdic` is not the name of an encoding

    hint: such as `utf-8`, `utf-16le`, `windows-1252`, `koi8-r`, `shift_jis`, `gbk` or `big5`
    "#);
}

#[test]
fn a_file_that_is_no_text_is_named_with_the_command_that_helps() {
    insta::assert_snapshot!(refused(b"\x1f\x8b\x08\0\0"), @"
    error: `text.txt` is a gzip file: text is needed

    hint: `gzip -dc -- text.txt | charloom train --text -` reads it
    ");
    insta::assert_snapshot!(refused("na\u{ef}ve \u{5b57}".as_bytes().split_last().unwrap().1), @"
    error: `text.txt` ends within a character, at offset 7: its end is missing

    hint: a file that was copied or downloaded in part is truncated: copy it again
    ");
    insta::assert_snapshot!(refused(b"\x93\x00\x01\xfe\x07\x00\x00\x80"), @"error: `text.txt` is binary data: text is needed");
}

#[test]
fn a_text_too_short_to_train_on_is_refused_with_sizes_that_fit() {
    // 24 characters: 21 for training and 3 for validation.
    insta::assert_snapshot!(refused(text(24)), @r"
    error: the training part has 21 characters, but one batch of 3 rows x 7 steps needs 22

    hint: `--batch-size 2` or `--seq-length 6` would fit
    ");
}

#[test]
fn a_text_too_short_to_validate_on_is_refused_with_sizes_that_fit() {
    insta::assert_snapshot!(
        refused_with(text(9), "--batch-size 1 --seq-length 2"),
        @"
    note   characters that occur in the validation part alone: `p` (they can't be learned; `--min-count 2` folds rare ones into one)
    error: the validation part has 1 character, but an evaluation needs at least 2
    "
    );
    // 150 characters: 135 for training and 15 for validation.
    insta::assert_snapshot!(refused_with(text(150), "--validation rows"), @r"
    error: the validation part has 15 characters, but one batch of 3 rows x 7 steps needs 22

    hint: `--batch-size 2` or `--seq-length 4` would fit
    ");
}

#[test]
fn the_suggested_sizes_fit() {
    for (chars, batch, seq, validation) in
        [(150, 2, 7, "rows"), (150, 3, 4, "rows"), (24, 2, 7, "all"), (24, 3, 6, "all")]
    {
        let world = World::new();
        world.write("text.txt", text(chars));
        world
            .run(&format!(
                "train --text text.txt --batch-size {batch} --seq-length {seq} --validation {validation} \
                 --hidden-size 8 --layers 1 --max-steps 1"
            ))
            .succeeds();
    }
}

#[test]
fn a_sample_prompt_of_unknown_characters_is_refused_before_training() {
    let world = World::with_text();
    insta::assert_snapshot!(
        world.train("--set sample.prime=LOOM").fails(2),
        @r#"
    error: the sample's prompt cannot be used: characters not in the vocabulary: `L`, `O`, `M`

    hint: `--prompt TEXT` sets another one, and `--prompt ''` none
    "#
    );
    assert_eq!(names(&world.path("runs")), [""; 0]);
}

#[test]
fn a_run_that_exists_is_not_overwritten() {
    let world = World::with_run();
    let before = world.read("runs/tiny/metrics.csv");
    insta::assert_snapshot!(world.train("--run tiny").fails(2), @"
    error: a run `tiny` already exists in `runs`

    hint: `charloom train --resume --run tiny` resumes it; `--run NAME` starts another run
    ");
    assert_eq!(world.read("runs/tiny/metrics.csv"), before);
}

#[test]
fn a_hidden_folder_is_refused_as_a_run_name() {
    let world = World::with_text();
    insta::assert_snapshot!(
        world.train("--run .tiny").fails(2),
        @"error: `.tiny` is not a run name: it must be one folder name, without `/` or a leading `.`"
    );
}

#[test]
fn a_folder_that_cannot_be_written_fails_the_work() {
    let world = World::with_text();
    insta::assert_snapshot!(
        world.train("--runs-dir text.txt/runs").fails(1),
        @"error: cannot create `text.txt/runs`: Not a directory (os error 20)"
    );
}

#[test]
fn a_run_that_is_not_there_cannot_be_resumed() {
    let world = World::with_run();
    insta::assert_snapshot!(world.run("train --resume --run tinny").fails(2), @"
    error: there is no run `tinny` in `runs`

    hint: available runs: `tiny`
    ");
    insta::assert_snapshot!(world.run("train --resume --runs-dir none").fails(2), @"
    error: there is no run in `none`

    hint: `charloom train --text FILE` starts one
    ");
}

#[test]
fn a_resumed_run_keeps_its_settings() {
    let world = World::with_run();
    for (flag, typed) in [
        ("--hidden-size", "--hidden 9"),
        ("--cell", "--lr 0.1 --cell gru"),
        ("--optimizer", "--optimizer sgd"),
        ("--batch-size", "--batch 2"),
        ("--set train.seed", "--set train.seed=3"),
        ("--config", "--config runs/tiny/config.toml"),
    ] {
        let message = world.run(&format!("train --resume --run tiny {typed}")).fails(2);
        assert!(
            message.starts_with(&format!("error: `{flag}` can't be given with `--resume`")),
            "{message}"
        );
    }
}

#[test]
fn a_resumed_run_keeps_its_text() {
    let world = World::with_run();
    world.write("other.txt", text(2001));
    let message = world.run("train --resume --run tiny --text other.txt").fails(2);
    assert!(
        message.starts_with("error: the text is not the one that the checkpoint `"),
        "{message}"
    );
    std::fs::rename(world.path("text.txt"), world.path("moved.txt")).unwrap();
    world.run("train --resume --run tiny --text moved.txt --max-steps 5").succeeds();
}

#[test]
fn a_backend_that_is_not_built_in_is_one_line_and_a_hint() {
    let world = World::with_run();
    if cfg!(feature = "rocm") {
        return;
    }
    for line in ["train --text text.txt --backend rocm", "generate --backend rocm"] {
        let message = world.run(line).fails(2);
        assert!(
            message.starts_with(
                "error: backend `rocm` is not built into this binary (available: `flex`)"
            ),
            "{message}"
        );
        assert!(
            message.contains(
                "\n\nhint: to build it in: `cargo install --path crates/cli --features rocm` in charloom's"
            ),
            "{message}"
        );
        assert_eq!(message.lines().count(), 3);
    }
}

#[test]
fn a_missing_device_is_refused_with_the_available_ones() {
    let world = World::with_run();
    insta::assert_snapshot!(world.run("generate --device 3").fails(2), @"
    error: backend `flex` has no device 3 (available: 0)

    hint: `charloom devices` lists the devices
    ");
}

#[test]
fn an_unknown_backend_is_a_usage_error() {
    let message = World::new().run("generate --backend tpu").fails(2);
    assert!(message.contains("it must be one of `flex`, `ndarray`, `wgpu`"), "{message}");
}

#[test]
fn an_unknown_dataset_is_refused_with_the_available_ones() {
    insta::assert_snapshot!(World::new().run("dataset get moby-dick").fails(2), @"
    error: there is no dataset `moby-dick`

    hint: available datasets: `alice`, `anna-karenina`, `baby-names`, `sherlock-holmes`, `tiny-shakespeare`, `war-and-peace`
    ");
}

#[test]
fn a_wrong_copy_of_a_dataset_is_refused() {
    let world = World::new();
    world.write("copy.txt", "not Alice");
    insta::assert_snapshot!(
        world.run("dataset get alice --from copy.txt").fails(2),
        @"error: `copy.txt` is not the dataset `alice`: it has 9 bytes, not 167546"
    );
    insta::assert_snapshot!(
        world.run("dataset get alice --from none.txt").fails(2),
        @"error: could not read `none.txt`: No such file or directory (os error 2)"
    );
    assert!(!world.exists("datasets/alice.txt"));
}

#[test]
fn another_text_in_a_datasets_place_stays() {
    let world = World::new();
    world.write("datasets/alice.txt", "mine");
    insta::assert_snapshot!(world.run("dataset get alice --from copy.txt").fails(2), @"
    error: `datasets/alice.txt` already exists, but is not this dataset: it has 4 bytes, not 167546

    hint: move or delete the existing file first
    ");
    assert_eq!(world.read("datasets/alice.txt"), "mine");
}
