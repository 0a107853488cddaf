//! `charloom predict`.

use crate::world::World;

/// A world with a run and a short text over its characters, with a newline in it.
fn world() -> World {
    let world = World::with_run();
    world.write("page.txt", "the loom\nand the weft");
    world
}

#[test]
fn each_character_has_a_row_with_its_probability_and_the_most_likely_characters() {
    let world = world();
    let ran = world.run("predict --text page.txt --top 2").succeeds();
    let lines: Vec<Vec<&str>> = ran.out.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines.len(), 21);
    assert_eq!(lines[0], ["`t`", "-"]);
    assert_eq!((lines[1][0], lines[8][0]), ("`h`", "`\\n`"));
    for line in &lines[1..] {
        let [_, probability, first, second] = line[..] else { panic!("{line:?}") };
        let number = |cell: &str| cell.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
        assert!((0.0..=1.0).contains(&number(probability)));
        assert!(
            number(first) >= number(second) && number(first) >= number(probability),
            "{line:?}"
        );
    }
    assert!(!ran.out.contains('\u{1b}'), "colours where none were asked for");
    // The default is three characters; zero is legal too.
    let default = world.run("predict --text page.txt").succeeds().out;
    assert_eq!(default.lines().nth(1).unwrap().split('\t').count(), 5);
    let none = world.run("predict --text page.txt --top 0").succeeds().out;
    assert_eq!(none.lines().nth(1).unwrap().split('\t').count(), 2);
    let all = world.run("predict --text page.txt --top 1000").succeeds().out;
    assert_eq!(all.lines().nth(1).unwrap().split('\t').count(), 2 + 17);
}

#[test]
fn the_summary_agrees_with_eval() {
    let world = world();
    for text in ["page.txt", "text.txt"] {
        let said = world.run(&format!("predict --text {text}")).succeeds().err;
        let eval = world.run(&format!("eval --text {text}")).succeeds().out;
        let value = |name: &str| {
            let line = eval.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().to_owned()
        };
        let [chars, loss, perplexity, accuracy] =
            ["characters", "loss", "perplexity", "accuracy"].map(value);
        assert_eq!(
            said.trim_end().trim_start_matches("char\tprob\tmost likely characters\n"),
            format!(
                "{chars} characters predicted: {loss} nats per character, perplexity {perplexity}, \
                 accuracy {accuracy} %"
            )
        );
    }
}

#[test]
fn on_a_colour_terminal_the_text_is_coloured_under_a_legend() {
    let world = world();
    world.write("page.txt", "the loom\nand the weft\n");
    let coloured = |line: &str| {
        let mut command = world.command(&line.split(' ').collect::<Vec<_>>());
        let output = command.env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1").output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let plain = |coloured: &str| {
        let parts = coloured.split('\u{1b}').enumerate();
        parts
            .map(|(place, part)| if place == 0 { part } else { part.split_once('m').unwrap().1 })
            .collect::<String>()
    };
    let text = coloured("predict --text page.txt");
    assert!(text.contains("\u{1b}[38;5;16m\u{1b}[48;5;"), "{text:?}");
    assert_eq!(
        plain(&text),
        " 50 % or more   20 to 50 %   5 to 20 %   1 to 5 %   below 1 % \n\nthe loom⏎\nand the weft⏎\n\n\n"
    );
    let rows = coloured("predict --text page.txt --top 1");
    assert!(rows.contains("\u{1b}[48;5;"));
    assert_eq!(plain(&rows), world.run("predict --text page.txt --top 1").out);
}

#[test]
fn a_long_text_is_cut_unless_its_length_is_given() {
    let world = World::with_run();
    let ran = world.run("predict --text text.txt --length 500").succeeds();
    assert_eq!(ran.out.lines().count(), 500);
    assert!(
        ran.err.starts_with(
            "reading the first 500 characters (`--length 0` reads all)\nchar\tprob\tmost likely characters\n"
        ),
        "{}",
        ran.err
    );
    world.write("long.txt", world.read("text.txt").repeat(6));
    assert_eq!(world.run("predict --text long.txt").succeeds().out.lines().count(), 10_000);
    assert_eq!(
        world.run("predict --text long.txt --length 0").succeeds().out.lines().count(),
        12_000
    );
}

#[test]
fn a_page_is_one_file_that_shows_the_text() {
    let world = world();
    let ran = world.run("predict --text page.txt --html pages/page.html").succeeds();
    assert_eq!(ran.out, "");
    assert!(ran.err.ends_with("wrote `pages/page.html`\n"), "{}", ran.err);
    let page = world.read("pages/page.html");
    for part in [
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">",
        "<title>page.txt: predictions of runs/tiny/model.safetensors</title>",
        "<main>t<i class=\"",
        " title=\"`\\n` 0.",
        ", most likely: `",
        "20 characters predicted: ",
    ] {
        assert!(page.contains(part), "`{part}` is not in\n{page}");
    }
    let main = &page[page.find("<main>").unwrap() + 6..page.find("</main>").unwrap()];
    let shown: String =
        main.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
    assert_eq!(shown, "the loom\nand the weft");
    assert_eq!(crate::world::names(&world.path("pages")), ["page.html"]);
}

#[test]
fn a_page_overwrites_only_another_page() {
    let world = world();
    world.run("predict --text page.txt --html page.html").succeeds();
    let before = world.read("page.html");
    world.run("predict --text page.txt --top 1 --html page.html").succeeds();
    assert_ne!(world.read("page.html"), before);
    insta::assert_snapshot!(world.run("predict --text page.txt --html page.txt").fails(2), @"
    error: `page.txt` already exists and was not written by `predict`

    hint: `--html FILE` with another name leaves it unchanged
    ");
    assert_eq!(world.read("page.txt"), "the loom\nand the weft");
    let message = world.run("predict --text page.txt --html runs").fails(2);
    assert!(message.starts_with("error: `runs` already exists"), "{message}");
}

#[test]
fn a_page_that_cannot_be_written_fails_the_work() {
    insta::assert_snapshot!(
        world().run("predict --text page.txt --html page.txt/page.html").fails(1),
        @"error: cannot write the page `page.txt/page.html`: File exists (os error 17)"
    );
}

#[test]
fn texts_that_cannot_be_predicted_are_refused() {
    let world = world();
    let message = world.run("predict").fails(2);
    assert!(message.contains("--text <FILE>"), "{message}");
    insta::assert_snapshot!(
        world.run("predict --text none.txt").fails(2),
        @"error: there is no file `none.txt`"
    );
    let message = world.run("predict --text runs").fails(2);
    assert!(message.contains("` is a safetensors file: text is needed"), "{message}");
    world.write("empty.txt", "");
    insta::assert_snapshot!(
        world.run("predict --text empty.txt").fails(2),
        @"error: `empty.txt` is empty"
    );
    world.write("one.txt", "t");
    insta::assert_snapshot!(
        world.run("predict --text one.txt").fails(2),
        @"error: a text must have at least 2 characters to be predicted, not 1"
    );
    insta::assert_snapshot!(
        world.run("predict --text page.txt --length 1").fails(2),
        @"error: a text must have at least 2 characters to be predicted, not 1"
    );
    world.write("other.txt", "the loom\nthe zoom");
    insta::assert_snapshot!(world.run("predict --text other.txt --unknown error --html page.html").fails(2), @"
    error: `other.txt` has 1 character that the vocabulary lacks, first at line 2, column 5: `z` (once)

    hint: a model can only read the characters that it was trained on; `--unknown skip` leaves others out
    ");
    assert!(!world.exists("page.html"));
}

#[test]
fn predict_needs_a_model() {
    let world = World::with_text();
    insta::assert_snapshot!(world.run("predict --text text.txt").fails(2), @"
    error: there is no run in `runs`

    hint: `charloom train --text FILE` starts one
    ");
    insta::assert_snapshot!(
        world.run("predict --text text.txt --model none.safetensors").fails(2),
        @"error: there is no model at `none.safetensors`"
    );
}
