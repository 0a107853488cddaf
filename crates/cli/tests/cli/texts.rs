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

/// 300 names of three lengths.
fn list_of_names() -> String {
    let syllables = ["an", "el", "mi", "ro", "so"];
    let name = |number: usize| {
        let name: String =
            (0..1 + number % 3).map(|k| syllables[(number * 7 + k * k) % 5]).collect();
        format!("{name}\n")
    };
    (0..300).map(name).collect()
}

#[test]
fn a_list_of_names_gives_whole_names() {
    let world = World::new();
    world.write("names.txt", list_of_names());
    let line = "train --text names.txt --documents lines --run names --hidden-size 16 --layers 1 \
                --batch-size 4 --seq-length 16 --epochs 20 --lr 0.02 --threads 1";
    world.run(line).succeeds();
    let generated = world.run("generate --run names --samples 20 --seed 3").succeeds().out;
    assert_eq!(generated.lines().count(), 20, "{generated}");
    assert!(generated.lines().all(|name| name.len() < 40), "{generated}");
    let one = world.run("generate --run names --seed 3").succeeds().out;
    assert_eq!(one.lines().collect::<Vec<_>>(), [generated.lines().next().unwrap()]);
    let with_prompt = world.run("generate --run names --prompt mi --samples 5").succeeds().out;
    assert!(with_prompt.lines().all(|name| name.starts_with("mi")), "{with_prompt}");
    // A search ends at the end of a name too.
    let found = world.run("complete --run names --prompt an -n 3").succeeds().out;
    assert!(!found.contains("U+FFFF"), "{found}");
    // Validation is on whole names, and `eval` measures the same.
    let trained = world.read("runs/names/metrics.csv");
    let last: Vec<f64> = trained
        .lines()
        .skip(1)
        .map(|row| row.split(',').nth(3).unwrap().parse().unwrap())
        .collect();
    let best = last.iter().copied().fold(f64::INFINITY, f64::min);
    let evaluated = world.run("eval --run names --split valid").succeeds().out;
    assert!(evaluated.contains(&format!("loss        {best:.4} nats")), "{best} {evaluated}");
    world.run("train --resume --run names --epochs 21").succeeds();
    // Each line that is scored is a name from its beginning.
    let scored = with_input(&world, "score --run names --lines -", b"anmi\nxyz\n").succeeds();
    assert!(scored.err.contains("3 of them unknown to the model"), "{}", scored.err);
}

#[test]
fn poems_between_blank_lines_and_files_are_documents_too() {
    let world = World::new();
    world.write("poems.txt", "warp and\nweft\n\nthe loom\n \nthread\n".repeat(20));
    let flags =
        "--hidden-size 8 --layers 1 --max-steps 2 --threads 1 --batch-size 2 --seq-length 8";
    world
        .run(&format!("train --text poems.txt --documents blank-lines --run p {flags}"))
        .succeeds();
    let out = world.run("generate --run p --samples 2 --length 30 --seed 1").succeeds().out;
    assert!(out.starts_with("--- sample 1 ---\n"), "{out}");
    for number in 0..30 {
        world.write(&format!("parts/{number:02}.txt"), format!("the loom {number}\n"));
    }
    world.run(&format!("train --text parts --documents files --run f {flags}")).succeeds();
    // 30 files of 11 or 12 characters, an end mark after each and one before the first.
    let inspected = world.run("inspect parts --documents files").succeeds().out;
    assert!(inspected.contains("length      381 characters"), "{inspected}");
    // The mark is no character of a text.
    world.write("marked.txt", "a\u{ffff}b\n".repeat(50));
    let message = world.run(&format!("train --text marked.txt --documents lines {flags}")).fails(2);
    let expected = "error: `marked.txt` has the character U+FFFF, which is kept for marks";
    assert_eq!(message, expected);
}

#[test]
fn rare_characters_become_one_that_is_never_written() {
    let world = World::new();
    let mut content = text(3000);
    content.insert_str(1000, "éàü");
    content.insert_str(2000, "字字");
    world.write("text.txt", &content);
    let inspected = world.run("inspect text.txt").succeeds().out;
    let rare = "rare        4 characters occur less than 5 times each, 5 in all: `--min-count 5` makes one of them";
    assert!(inspected.contains(rare), "{inspected}");
    world.train("--min-count 5 --run r --max-steps 3").succeeds();
    let shown = world.run("inspect runs/r/model.safetensors").succeeds().out;
    assert!(shown.contains("`U+FFFE`") && !shown.contains('字'), "{shown}");
    let out = world.run("generate --run r --temperature 100 --length 3000 --seed 1").succeeds().out;
    assert!(!out.contains('\u{fffe}'));
    // Other texts are folded too, and so is a prompt on request.
    world.write("other.txt", "the loom ñ and 字\n");
    let folded = world.run("eval --run r --text other.txt").succeeds().out;
    assert!(folded.contains("characters  16 predicted\n"), "{folded}");
    let skipped = world.run("eval --run r --text other.txt --unknown skip").succeeds().out;
    let expected = "characters  16 predicted, 2 of them unknown to the model (at 13.92 nats each)";
    assert!(skipped.contains(expected), "{skipped}");
    world.run("generate --run r --prompt ñ --unknown fold --length 3").succeeds();
    insta::assert_snapshot!(world.train("--min-count 5000 --run n").fails(2), @r"
    error: every character of `text.txt` occurs fewer than 5000 times

    hint: a smaller `--min-count` keeps more characters
    ");
}

#[test]
fn what_is_not_read_cannot_matter_and_unknown_characters_are_counted_alike() {
    let world = World::with_run();
    world.write("page.txt", format!("{}字{}", text(300), text(100)));
    let ran = world.run("predict --run tiny --text page.txt --length 100").succeeds();
    assert!(!ran.err.contains("unknown"), "{}", ran.err);
    assert!(ran.err.contains("reading the first 100 characters"), "{}", ran.err);
    let unknown = "1 of them unknown to the model (at 13.92 nats each)";
    let evaluated = world.run("eval --run tiny --text page.txt").succeeds().out;
    let predicted = world.run("predict --run tiny --text page.txt").succeeds().err;
    let scored = world.run("score --run tiny page.txt").succeeds().err;
    assert!(evaluated.contains(unknown), "{evaluated}");
    assert!(predicted.contains(unknown), "{predicted}");
    assert!(scored.contains(unknown), "{scored}");
    let loss = evaluated.lines().find_map(|line| line.strip_prefix("loss        ")).unwrap();
    assert!(predicted.contains(loss), "{loss}: {predicted}");
    for line in ["eval", "predict", "score"] {
        let text = if line == "score" { "page.txt" } else { "--text page.txt" };
        let message = world.run(&format!("{line} --run tiny {text} --unknown error")).fails(2);
        assert!(message.contains("字") && message.contains("`--unknown skip`"), "{message}");
    }
    let prompt = world.run("generate --run tiny --prompt 字the --unknown skip --length 3 --seed 1");
    assert!(prompt.succeeds().out.starts_with("the"));
}

#[test]
fn what_is_odd_about_a_text_is_said_before_the_training() {
    let world = World::new();
    let start = "Title\n*** START OF THIS PROJECT GUTENBERG EBOOK ***\n";
    let end = "*** END OF THIS PROJECT GUTENBERG EBOOK ***\nLicence: 100 %\n";
    world.write("text.txt", format!("{start}{}\n{end}", text(1999)));
    let ran = world.train("--run odd --max-steps 1").succeeds();
    let note = "Project Gutenberg's, before or after the book: ";
    assert!(ran.err.contains(note), "{}", ran.err);
    assert!(ran.err.contains("(`--trim-gutenberg` leaves them out)"), "{}", ran.err);
    let inspected = world.run("inspect text.txt").succeeds();
    assert!(inspected.err.contains(note), "{}", inspected.err);
    let trimmed = world.train("--run book --max-steps 1 --trim-gutenberg").succeeds();
    assert!(!trimmed.err.contains("Gutenberg"), "{}", trimmed.err);
    world.write("book.txt", text(1999) + "\n");
    let book = world.train("--text book.txt --run same --max-steps 1").succeeds();
    let loss = |run: &str| {
        world.read(&format!("runs/{run}/metrics.csv")).split(',').nth(11).unwrap().to_owned()
    };
    assert_eq!(loss("book"), loss("same"), "{}", book.err);
    world.run("eval --run book --split valid").succeeds();
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
