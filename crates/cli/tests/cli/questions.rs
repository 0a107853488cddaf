//! Every command in docs/questions.md works, and prints what the page quotes.
//!
//! Output is compared exactly where the kernels use AVX-512, as they did for the page; with another vector width sums
//! differ in their last digits, so numbers may be 2 % off and generated text is not compared. Times, speeds and the number
//! of cores are never compared. To write what the commands print now into the page:
//!
//! ```sh
//! CHARLOOM_UPDATE_QUESTIONS=1 cargo xtask test questions
//! ```

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::world::search_path;

const UPDATE: &str = "CHARLOOM_UPDATE_QUESTIONS";
/// Longer lines of output end in `…` on the page.
const LONGEST_LINE: usize = 110;

/// A block of shell commands.
struct Example {
    /// Index of its first line in the page.
    start: usize,
    commands: String,
    /// The lines of the output that the page quotes below it, without the fences.
    quoted: Option<Range<usize>>,
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/questions.md")
}

/// The examples of the page, in order.
fn examples(lines: &[&str]) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let Some(language) = lines[at].strip_prefix("```") else {
            at += 1;
            continue;
        };
        let start = at + 1;
        let end = start + lines[start..].iter().position(|line| *line == "```").expect("a fence");
        match language {
            "sh" => examples.push(Example {
                start,
                commands: lines[start..end].join("\n"),
                quoted: None,
            }),
            "text" => {
                let example = examples.last_mut().expect("output of commands");
                assert!(example.quoted.is_none(), "line {start}: a second output");
                example.quoted = Some(start..end);
            }
            _ => {}
        }
        at = end + 1;
    }
    examples
}

/// Output as the page shows it.
fn shown(output: &str) -> Vec<String> {
    let shorten = |line: &str| match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    };
    output.trim_end().lines().map(|line| shorten(line.trim_end())).collect()
}

/// Output without what differs from one machine to the next: times, speeds and the number of cores.
fn masked<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut table = false;
    let mask = |line: &'a str| {
        table |= line.ends_with("seconds");
        let mut fields: Vec<&str> = line.split_whitespace().collect();
        // The time after a speed may be cut off, and where depends on the speed's digits.
        if let Some(speed) = fields.iter().position(|field| *field == "characters/s,") {
            fields.truncate(speed + 1);
        }
        let measured = |next: &str| ["characters/s,", "s", "core", "cores"].contains(&next);
        let before = fields.len();
        for at in 0..before {
            let last = table && at + 2 >= before;
            let number = fields[at].starts_with(|first: char| first.is_ascii_digit());
            if number && (last || fields.get(at + 1).is_some_and(|next| measured(next))) {
                fields[at] = "*";
            }
        }
        match table || fields.contains(&"*") {
            true => fields.join(" ").replace("* cores", "* core"),
            false => line.to_owned(),
        }
    };
    lines.into_iter().map(mask).collect()
}

/// Whether two lines are the same but for numbers that are at most 2 % apart.
fn close(a: &str, b: &str) -> bool {
    let number = |field: &str| {
        let digits = field.trim_matches(['(', ')', ',', '%']).replace(',', "");
        digits.parse::<f64>().ok()
    };
    let same = |(a, b)| match (number(a), number(b)) {
        (Some(a), Some(b)) => (a - b).abs() <= 0.02 * a.abs().max(b.abs()),
        _ => a == b,
    };
    let (a, b) = (a.split_whitespace(), b.split_whitespace());
    a.clone().count() == b.clone().count() && a.zip(b).all(same)
}

/// The quoted lines and the printed ones, if they differ: those only quoted with `-`, those only printed with `+`.
fn difference(quoted: &[&str], printed: &[String], exact: bool) -> Option<String> {
    let quoted_masked = masked(quoted.iter().copied());
    let printed_masked = masked(printed.iter().map(String::as_str));
    let mut diff = String::new();
    let mut same = quoted.len() == printed.len();
    for at in 0..quoted.len().max(printed.len()) {
        match (quoted_masked.get(at), printed_masked.get(at)) {
            (Some(a), Some(b)) if a == b || (!exact && close(a, b)) => {
                diff += &format!("   {}\n", quoted[at]);
                continue;
            }
            (a, b) => {
                same = false;
                diff += &a.map(|_| format!(" - {}\n", quoted[at])).unwrap_or_default();
                diff += &b.map(|_| format!(" + {}\n", printed[at])).unwrap_or_default();
            }
        }
    }
    (!same).then_some(diff)
}

/// Whether the kernels use AVX-512 here: what `Avx512::detect` asks for.
fn has_avx512() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

#[test]
fn every_command_among_the_answers_prints_what_the_page_quotes() {
    let text = std::fs::read_to_string(page()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let examples = examples(&lines);
    let questions = lines.iter().filter(|line| line.starts_with("### ")).count();
    assert_eq!((questions, examples.len() > 20), (31, true), "the page is read as it is written");
    let exact = has_avx512();

    let folder = tempfile::tempdir().unwrap();
    let mut differences = String::new();
    let mut replacements = Vec::new();
    for Example { start, commands, quoted } in examples {
        let output = Command::new("sh")
            .args(["-ec", &commands])
            .current_dir(folder.path())
            .env("PATH", search_path())
            .env("LC_ALL", "C.UTF-8")
            .env_remove("CARGO_PKG_NAME")
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "docs/questions.md:{}: {}\n{err}",
            start + 1,
            output.status
        );
        // A filter would otherwise hide that a command failed.
        assert!(!err.contains("panicked"), "docs/questions.md:{}: {err}", start + 1);

        let Some(quoted) = quoted else { continue };
        let varies = ["charloom generate", "charloom predict", "charloom complete"];
        if !exact && varies.iter().any(|command| commands.contains(command)) {
            continue;
        }
        let printed = shown(&String::from_utf8(output.stdout).unwrap());
        if let Some(diff) = difference(&lines[quoted.clone()], &printed, exact) {
            let first = commands.lines().last().unwrap_or_default();
            differences += &format!("docs/questions.md:{}: {first}\n{diff}\n", start + 1);
            replacements.push((quoted, printed));
        }
    }
    if replacements.is_empty() {
        return;
    }
    if std::env::var_os(UPDATE).is_none() {
        panic!(
            "the page quotes (-) what isn't printed (+):\n\n{differences}`{UPDATE}=1` updates it"
        );
    }
    assert!(exact, "the page's numbers are those of a machine with AVX-512");
    let mut lines: Vec<String> = lines.into_iter().map(str::to_owned).collect();
    for (quoted, printed) in replacements.into_iter().rev() {
        assert!(!printed.iter().any(|line| line.starts_with("```")), "output that ends the block");
        lines.splice(quoted, printed);
    }
    std::fs::write(page(), lines.join("\n") + "\n").unwrap();
}

#[test]
fn times_speeds_and_cores_are_not_compared_but_losses_are() {
    let line = |loss, speed, time| {
        format!("epoch 1/2 training {loss}, validation 2.5, {speed} characters/s, {time} s best")
    };
    let quoted = line("2.1", "207,479", "0.5");
    assert_eq!(difference(&[&quoted], &[line("2.1", "99", "12.0")], true), None);
    let diff = difference(&[&quoted], &[line("2.2", "99", "12.0")], true).unwrap();
    assert!(diff.starts_with(" - epoch") && diff.contains("\n + epoch"), "{diff}");

    let table = |loss, speed: &str| {
        [
            format!("run   lr  loss  {:>w$}  seconds", "chars/s", w = speed.len()),
            format!("lr-1   1  {loss}  {speed}      0.6"),
        ]
    };
    let [header, row] = table("1.4509", "483,512");
    assert_eq!(difference(&[&header, &row], &table("1.4509", "1,483,512"), true), None);
    assert!(difference(&[&header, &row], &table("1.4510", "483,512"), true).is_some());
    assert_eq!(difference(&[&header, &row], &table("1.4710", "483,512"), false), None);
    assert!(difference(&[&header, &row], &table("1.4910", "483,512"), false).is_some());
    assert_eq!(difference(&["--device 0  2 cores"], &["--device 0  1 core".into()], true), None);
    assert!(difference(&["a"], &["a".into(), "b".into()], true).is_some());
}
