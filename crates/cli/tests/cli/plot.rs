//! `charloom plot`.

use crate::world::{World, names};

const HEADER: &str = "epoch,step,train_loss,valid_loss,valid_perplexity,valid_bits_per_char,learning_rate,\
                      chars_per_second,seconds\n";

/// A world with runs that have this many rows, the losses falling towards 1.
fn world(runs: &[(&str, usize)]) -> World {
    let world = World::new();
    for (run, rows) in runs {
        world.write(&format!("runs/{run}/config.toml"), "");
        let mut metrics = HEADER.to_owned();
        for epoch in 1..=*rows {
            let loss = 1.0 + 2.0 / epoch as f64;
            metrics += &format!(
                "{epoch},{},{},{loss},{},{},0.002,50000,{epoch}.5\n",
                epoch * 238,
                loss - 0.1,
                loss.exp(),
                loss / std::f64::consts::LN_2
            );
        }
        world.write(&format!("runs/{run}/metrics.csv"), metrics);
    }
    world
}

fn is_png(world: &World, name: &str) -> bool {
    std::fs::read(world.path(name)).unwrap().starts_with(b"\x89PNG\r\n\x1a\n")
}

#[test]
fn a_trained_run_is_drawn_into_its_folder() {
    let world = World::with_run();
    let ran = world.run("plot tiny").succeeds();
    assert_eq!(ran.out, "");
    assert_eq!(ran.err, "wrote `runs/tiny/loss.svg`\nwrote `runs/tiny/loss.png`\n");
    let picture = world.read("runs/tiny/loss.svg");
    for printed in
        ["tiny: training and validation loss", "loss (nats per character)", "training steps"]
    {
        assert!(picture.contains(&format!(">\n{printed}\n</text>")), "{printed}");
    }
    assert!(is_png(&world, "runs/tiny/loss.png"));
    // Without a name, the newest run is drawn.
    world.run("plot --output newest.svg").succeeds();
    assert_eq!(world.read("newest.svg"), picture);
}

#[test]
fn several_runs_are_drawn_beside_their_folders() {
    let world = world(&[("one", 1), ("twenty", 20), ("a b <c>", 3)]);
    let ran = world.run_args(&["plot", "twenty", "one", "a b <c>"]).succeeds();
    assert_eq!(ran.err, "wrote `runs/loss.svg`\nwrote `runs/loss.png`\n");
    let picture = world.read("runs/loss.svg");
    for printed in ["twenty", "one", "a b &lt;c&gt;", "1.100", "3.000"] {
        assert!(picture.contains(&format!(">\n{printed}\n<")), "{printed}");
    }
}

#[test]
fn the_metric_decides_the_axis_and_the_names_of_the_files() {
    let world = world(&[("one", 2)]);
    world.run("plot one --metric bits").succeeds();
    world.run("plot one --metric perplexity").succeeds();
    assert_eq!(
        names(&world.path("runs/one")),
        ["bits.png", "bits.svg", "config.toml", "metrics.csv", "perplexity.png", "perplexity.svg"]
    );
    let bits = world.read("runs/one/bits.svg");
    assert!(bits.contains("loss (bits per character)") && bits.contains("\n2.885\n"), "{bits}");
    // exp(2)
    assert!(world.read("runs/one/perplexity.svg").contains("\n7.389\n"));
    let message = world.run("plot one --metric accuracy").fails(2);
    assert!(message.contains("[possible values: loss, perplexity, bits]"), "{message}");
}

#[test]
fn the_format_is_that_of_the_outputs_name() {
    let world = world(&[("one", 2)]);
    world.run("plot one --output pictures/a.PNG").succeeds();
    assert!(is_png(&world, "pictures/a.PNG"));
    for output in ["a.jpg", "a"] {
        let message = world.run(&format!("plot one --output {output}")).fails(2);
        assert_eq!(
            message,
            format!(
                "error: `--output` must end with `.svg` or `.png`, not `{output}`\n\n\
                 hint: without `--output`, both formats are written"
            )
        );
    }
    assert!(!world.exists("runs/one/loss.svg"));
}

#[test]
fn an_output_that_cannot_be_written_is_named() {
    let world = world(&[("one", 2)]);
    let message = world.run("plot one --output runs/one/metrics.csv/a.svg").fails(1);
    assert!(message.starts_with("error: cannot write `runs/one/metrics.csv/a.svg`: "), "{message}");
    std::fs::create_dir(world.path("folder.png")).unwrap();
    let message = world.run("plot one --output folder.png").fails(1);
    assert!(message.starts_with("error: cannot write `folder.png`: "), "{message}");
}

#[test]
fn a_missing_run_is_refused_with_the_available_ones() {
    let world = world(&[("one", 2), ("two", 2)]);
    insta::assert_snapshot!(world.run("plot one three").fails(2), @"
    error: there is no run `three` in `runs`

    hint: available runs: `one`, `two`
    ");
    insta::assert_snapshot!(
        world.run("plot runs/four").fails(2), @"
    error: there is no run `four` in `runs`

    hint: available runs: `one`, `two`
    ");
    insta::assert_snapshot!(
        world.run("plot one two one").fails(2),
        @"error: the run `one` is named twice"
    );
}

#[test]
fn a_run_without_metrics_is_refused_with_when_they_are_written() {
    let world = world(&[("none", 0), ("never", 1)]);
    std::fs::remove_file(world.path("runs/never/metrics.csv")).unwrap();
    for run in ["none", "never"] {
        assert_eq!(
            world.run(&format!("plot {run}")).fails(2),
            format!(
                "error: the run `{run}` has no metrics yet\n\n\
                 hint: a row is written at each evaluation, and when a run ends"
            )
        );
    }
}

#[test]
fn broken_metrics_are_named_with_their_line() {
    let world = world(&[("one", 2)]);
    let good = world.read("runs/one/metrics.csv");
    for (metrics, message) in [
        (format!("{good}3,714,soon,1,1,1,1,1,1\n"), "line 4: `train_loss`: invalid float literal"),
        (format!("{good}3,714\n"), "line 4: 2 columns, where the first line has 9"),
        (good.replace("valid_loss", "loss"), "line 2: missing field `valid_loss`"),
    ] {
        world.write("runs/one/metrics.csv", metrics);
        let message = format!("error: `runs/one/metrics.csv`, {message}");
        assert_eq!(world.run("plot one").fails(2), message);
    }
    assert!(!world.exists("runs/one/loss.svg"));
}
