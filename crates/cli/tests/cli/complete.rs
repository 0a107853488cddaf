//! `charloom complete`: the most likely continuations.

use crate::world::{Ran, World};

/// Probability of the whole, probability per character, text.
fn lines(ran: &Ran) -> Vec<(f64, f64, String)> {
    let cells = |line: &str| {
        let [whole, each, text] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        (whole.parse().unwrap(), each.parse().unwrap(), text.to_owned())
    };
    ran.out.lines().map(cells).collect()
}

#[test]
fn the_most_likely_continuations_come_first_and_are_the_same_each_time() {
    let world = World::with_run();
    let ran = world.run("complete --prime the -n 4 --length 3").succeeds();
    let found = lines(&ran);
    assert_eq!(found.len(), 4);
    assert!(found.is_sorted_by(|left, right| left.0 >= right.0), "{}", ran.out);
    for (whole, each, _) in &found {
        assert!(*whole > 0.0 && (each.powi(3) - whole).abs() < 1e-3, "{}", ran.out);
    }
    assert!(ran.err.contains("runs/tiny/model.safetensors"), "{}", ran.err);
    assert_eq!(world.run("complete --prime the -n 4 --length 3").out, ran.out);
    let model = "complete --model runs/tiny/model.safetensors --prime the -n 4 --length 3";
    assert_eq!(world.run(model).out, ran.out);
    assert_eq!(lines(&world.run("complete").succeeds()).len(), 5);
}

/// With all 17 characters of the vocabulary as continuations.
#[test]
fn one_character_continuations_agree_with_predict() {
    let world = World::with_run();
    let found = lines(&world.run("complete --prime the -n 17 --length 1").succeeds());
    world.write("page.txt", "thew");
    let rows = world.run("predict --text page.txt --top 17").succeeds().out;
    let guesses: Vec<_> = rows.lines().last().unwrap().split('\t').skip(2).collect();
    assert_eq!(found.len(), guesses.len());
    for ((whole, _, text), guess) in found.iter().zip(guesses) {
        assert_eq!(format!("`{text}` {whole:.4}"), guess);
    }
}

#[test]
fn a_beam_of_one_is_greedy_decoding() {
    let world = World::with_run();
    let greedy = world.run("generate --prime the --greedy --length 30").succeeds().out;
    let found = lines(&world.run("complete --prime the -n 1 --beam 1 --length 30").succeeds());
    assert_eq!(format!("the{}", found[0].2), greedy.replace('\n', "\\n"));
}

#[test]
fn a_continuation_ends_at_the_stop_sequence() {
    let world = World::with_run();
    let found =
        lines(&world.run_args(&["complete", "--stop", "\\n", "-n", "1000", "--length", "3"]));
    let texts: Vec<_> = found.iter().map(|(_, _, text)| text.as_str()).collect();
    assert!(texts.contains(&""), "a newline at once is the end of it");
    assert!(texts.iter().all(|text| !text.contains("\\n")));
    assert!(texts.iter().any(|text| text.len() == 3) && texts.iter().any(|text| text.len() == 1));
}

#[test]
fn a_beam_narrower_than_the_count_is_refused() {
    insta::assert_snapshot!(World::with_run().run("complete -n 8 --beam 3").fails(2), @"
    error: `--beam-width 3` is too narrow to find 8 continuations

    hint: use `--beam-width 8` or more, or `-n 3` for fewer continuations
    ");
}

#[test]
fn numbers_out_of_range_name_their_flag() {
    let world = World::new();
    for (line, flag) in [
        ("-n 0", "--count <N>"),
        ("-n 1001", "--count <N>"),
        ("--length 0", "--length <L>"),
        ("--length 9999", "--length <L>"),
        ("--beam 0", "--beam-width <B>"),
        ("--beam x", "--beam-width <B>"),
    ] {
        let message = world.run(&format!("complete {line}")).fails(2);
        assert!(message.contains(flag), "{message}");
    }
}

#[test]
fn a_prompt_of_unknown_characters_names_them() {
    insta::assert_snapshot!(World::with_run().run("complete --prime LoOm").fails(2), @r"
    error: cannot start from the prompt: characters not in the vocabulary: `L`, `O`

    hint: `--unknown skip` leaves them out; the model knows `\n`, ` `, `a`, `d`, `e`, `f`, `h`, `l`, `m`, `n`, `o`, `p`, `r`, `s`, `t`, `u`, `w`
    ");
}

#[test]
fn complete_needs_a_model() {
    insta::assert_snapshot!(World::new().run("complete --prime the").fails(2), @"
    error: there is no run in `runs`

    hint: `charloom train --text FILE` starts one
    ");
}
