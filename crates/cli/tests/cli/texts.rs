//! Texts as people have them: encodings, line ends, several files, pipes, names of any bytes, prompts in files.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use crate::world::{Ran, World, search_path, text};

/// Runs a line in a POSIX shell.
fn shell(world: &World, line: &str) -> Ran {
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(world.path("")).env("NO_COLOR", "1");
    let output = command.env("PATH", search_path()).stdin(Stdio::null()).output().unwrap();
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs the program with `input` on standard input.
fn with_input(world: &World, line: &str, input: &[u8]) -> Ran {
    let args: Vec<_> = line.split_whitespace().collect();
    let mut command = world.command(&args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

const SMALL: &str = "--batch-size 3 --seq-length 7 --hidden-size 8 --layers 1 --max-steps 2 --threads 1 --length 20";

#[test]
fn the_same_text_in_any_form_trains_the_same_model() {
    let plain = text(2000).replace("loom", "löom");
    let world = World::new();
    world.write("plain.txt", &plain);
    let utf16: Vec<u8> =
        format!("\u{feff}{plain}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    world.write("utf16.txt", utf16);
    world.write("marked.txt", format!("\u{feff}{}", plain.replace('\n', "\r\n")));
    let latin: Vec<u8> = plain.chars().map(|char| u8::try_from(char).unwrap()).collect();
    world.write("latin.txt", latin);
    world.write("parts/1.txt", &plain[..700]);
    world.write("parts/2.txt", &plain[700..]);
    world.write("nfd.txt", plain.replace('ö', "o\u{308}"));

    let loss = |flags: &str, notes: &[&str]| {
        let ran = world.run(&format!("train {flags} {SMALL} --run r")).succeeds();
        let said: Vec<_> = ran.err.lines().filter(|line| line.starts_with("note   `")).collect();
        assert_eq!(said, notes);
        let best = ran.err.lines().find(|line| line.starts_with("done")).unwrap().to_owned();
        std::fs::remove_dir_all(world.path("runs/r")).unwrap();
        best
    };
    let expected = loss("--text plain.txt", &[]);
    let same = |flags: &str, notes: &[&str]| assert_eq!(loss(flags, notes), expected, "{flags}");
    same("--text utf16.txt", &["note   `utf16.txt` is decoded from UTF-16LE"]);
    same(
        "--text marked.txt",
        &[
            "note   `marked.txt` has a byte-order mark, which is left out",
            "note   `marked.txt` has line ends with `\\r`, which are read as `\\n`",
        ],
    );
    same("--text latin.txt", &["note   `latin.txt` is decoded from windows-1252"]);
    same("--text parts", &[]);
    same("--text parts/*.txt", &[]);
    same("--text parts/1.txt --text parts/2.txt", &[]);
    same("--text parts/1.txt parts/2.txt", &[]);
    same("--text nfd.txt --normalize nfc", &[]);
    let other = loss(
        "--text marked.txt --newlines keep",
        &["note   `marked.txt` has a byte-order mark, which is left out"],
    );
    assert_ne!(other, expected);
}

#[test]
fn several_files_are_kept_in_their_order_and_resumed() {
    let world = World::new();
    world.write("a.txt", text(900));
    world.write("b c.txt", text(1100));
    world
        .run_args(
            &[&["train", "--text", "b c.txt", "a.txt", "--run", "r"], &*words(SMALL)].concat(),
        )
        .succeeds();
    assert!(world.read("runs/r/config.toml").contains(r#"text = ["b c.txt", "a.txt"] "#));
    world.run("train --resume --run r --max-steps 4").succeeds();
    // The other order is another text.
    let ran = world.run_args(&["train", "--resume", "--run", "r", "--text", "a.txt", "b c.txt"]);
    assert!(ran.fails(2).starts_with("error: the text is not the one that the checkpoint"));
    // `inspect` shows them in order.
    let shown = world.run_args(&["inspect", "b c.txt", "a.txt"]).succeeds().out;
    assert!(
        shown.starts_with("a text in 2 files\n  b c.txt\n  a.txt\nlength      2,000"),
        "{shown}"
    );
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[cfg(unix)]
#[test]
fn a_text_may_have_any_name_that_the_system_allows() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let world = World::new();
    let name = OsStr::from_bytes(b"caf\xe9.txt");
    if std::fs::write(world.path("").join(name), text(2000)).is_err() {
        return eprintln!("skipped: this file system has names in Unicode only");
    }
    let mut command = world.command(&words("train --run r"));
    let status = command.args(words(SMALL)).arg("--text").arg(name).output().unwrap();
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    assert!(world.read("runs/r/config.toml").contains(r#"text = "file:caf%E9.txt""#));
    world.run("train --resume --run r --max-steps 4").succeeds();
    world.run("eval --run r --split valid").succeeds();
}

#[cfg(unix)]
#[test]
fn pipes_and_standard_input_are_read() {
    let world = World::with_run();
    let content = text(2000);
    let ran =
        with_input(&world, &format!("train --text - --run piped {SMALL}"), content.as_bytes());
    ran.succeeds();
    assert!(world.read("runs/piped/config.toml").contains("text = \"-\""));
    let scored = with_input(&world, "score --run tiny --lines -", b"loom and warp\n").succeeds();
    assert!(scored.out.ends_with("\tloom and warp\n"), "{}", scored.out);
    let of_file = world.run("eval --run tiny --text text.txt").succeeds().out;
    let piped =
        shell(&world, "cat text.txt | charloom eval --run tiny --text /dev/stdin").succeeds();
    assert_eq!(losses(&piped.out), losses(&of_file));
    shell(&world, "cat text.txt | charloom inspect -").succeeds();
}

/// What an evaluation prints, without the name of the text.
fn losses(printed: &str) -> Vec<&str> {
    printed.lines().filter(|line| !line.starts_with("text ")).collect()
}

#[test]
fn a_prompt_is_read_from_a_file_to_its_last_character() {
    let world = World::with_run();
    world.write("prompt.txt", "the loom and\n");
    let ran = world.run("generate --run tiny --prompt-file prompt.txt --length 5 --seed 1");
    let from_file = ran.succeeds().out;
    assert!(from_file.starts_with("the loom and\n"), "{from_file}");
    let args = [
        "generate",
        "--run",
        "tiny",
        "--prompt",
        r"the loom and\n",
        "--length",
        "5",
        "--seed",
        "1",
    ];
    assert_eq!(world.run_args(&args).succeeds().out, from_file);
    let line = "generate --run tiny --prompt-file - --length 5 --seed 1";
    assert_eq!(with_input(&world, line, b"the loom and\n").succeeds().out, from_file);
    let completed = world.run("complete --run tiny --prompt-file prompt.txt -n 1").succeeds().out;
    let args = ["complete", "--run", "tiny", "--prompt", r"the loom and\u{a}", "-n", "1"];
    assert_eq!(world.run_args(&args).succeeds().out, completed);
}

#[test]
fn an_unknown_escape_is_refused_wherever_a_text_is_given() {
    let world = World::with_run();
    insta::assert_snapshot!(world.run(r"generate --run tiny --stop \q").fails(2), @r"
    error: `--stop`: unknown escape `\q` in `\q`

    hint: `\n`, `\r`, `\t`, `\u{e9}` and `\\` are known; `\\` is a backslash itself
    ");
    for line in [
        r"generate --run tiny --prompt a\x",
        r"complete --run tiny --prompt a\x",
        r"complete --run tiny --stop \x",
        r"train --text text.txt --set sample.prompt=\x",
    ] {
        let message = world.run(line).fails(2);
        assert!(message.contains(r"unknown escape `\x` in"), "{line}: {message}");
    }
}

#[test]
fn a_path_to_a_run_folder_is_a_run() {
    let world = World::with_run();
    world.run("generate --run runs/tiny --length 5").succeeds();
    world.run("eval --run ./runs/tiny/ --split valid").succeeds();
    world.run("plot runs/tiny").succeeds();
    let ran = world.train("--run elsewhere/small --max-steps 1").succeeds();
    let command = "charloom generate --run small --runs-dir elsewhere";
    assert!(ran.err.trim_end().ends_with(command), "{}", ran.err);
    shell(&world, &format!("{command} --length 5")).succeeds();
    world.run("train --resume --run elsewhere/small --max-steps 2").succeeds();
}

#[test]
fn sizes_that_nobody_set_are_fitted_to_a_short_text() {
    let world = World::new();
    world.write("text.txt", text(100));
    let flags = "--text text.txt --hidden-size 8 --layers 1 --max-steps 2 --length 20";
    let ran = world.run(&format!("train {flags} --run r")).succeeds();
    let note = "note   the text is short: N = 1, T = 50 (`--batch-size`, `--seq-length`)";
    assert!(ran.err.contains(note), "{}", ran.err);
    let config = world.read("runs/r/config.toml");
    assert!(config.contains("(from the length of the text)"), "{config}");
    world.run("train --resume --run r --max-steps 4").succeeds();
    // What is set is kept.
    let message = world.run(&format!("train {flags} --seq-length 100")).fails(2);
    assert!(message.starts_with("error: the training part has 90 characters"), "{message}");
}

#[test]
fn generation_ends_soon_after_its_reader_has_gone() {
    let world = World::with_run();
    let line = "generate --run tiny --samples 3 --length 100000000 --seed 1";
    let mut child =
        world.command(&words(line)).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    // The first sample streams.
    out.read_line(&mut first).unwrap();
    assert_eq!(first, "--- sample 1 ---\n");
    out.read_exact(&mut [0; 5]).unwrap();
    drop(out);
    assert!(child.wait().unwrap().success());
}
