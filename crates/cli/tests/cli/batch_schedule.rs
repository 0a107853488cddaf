//! `data.batch_schedule`: messages, what is printed, and the recipe beside it.

use crate::world::World;

/// The message about a settings file with this value.
#[track_caller]
fn refused(value: &str) -> String {
    let world = World::new();
    world.write("my.toml", format!("[data]\nbatch_schedule = {value}\n"));
    world.run("config check my.toml").fails(2)
}

#[test]
fn a_batch_schedule_is_checked_entry_by_entry() {
    insta::assert_snapshot!(
        refused("[{ from = 0.5, batch_size = 0 }]"),
        @"error: `my.toml`, line 2: `data.batch_schedule[0].batch_size` must be a whole number from 1 to 65536, not `0`"
    );
    insta::assert_snapshot!(
        refused("[{ from = 0.5, batch_size = 9 }, { from = 1, seq_length = 9 }]"),
        @"error: `my.toml`, line 2: `data.batch_schedule[1].from` must be a number above 0 and below 1, not `1`"
    );
    insta::assert_snapshot!(
        refused("[{ from = 0.5, batch_size = 9 }, { from = 0.4, seq_length = 9 }]"),
        @"error: `my.toml`, line 2: `data.batch_schedule` must have ascending fractions `from`, not `0.5` before `0.4`"
    );
    insta::assert_snapshot!(
        refused("[{ batch_size = 9 }]"),
        @"error: `my.toml`, line 2: `data.batch_schedule[0]` must be `{ from = a number above 0 and below 1, batch_size = a whole number from 1 to 65536, seq_length = a whole number from 1 to 65536 }`, not `{ batch_size = 9 }`"
    );
    insta::assert_snapshot!(refused("[{ from = 0.5, batch = 9 }]"), @r"
    error: `my.toml`, line 2: `data.batch_schedule[0].batch` is not a key of this table

    hint: valid keys: `from`, `batch_size`, `seq_length`
    ");
    insta::assert_snapshot!(
        refused("\"none\""),
        @r#"error: `my.toml`, line 2: `data.batch_schedule` must be a list of `{ from = a number above 0 and below 1, batch_size = a whole number from 1 to 65536, seq_length = a whole number from 1 to 65536 }`, not `"none"`"#
    );
}

#[test]
fn a_batch_that_does_not_fit_the_text_is_refused_before_training() {
    let world = World::with_text();
    world.write("my.toml", "[data]\nbatch_schedule = [{ from = 0.5, batch_size = 400 }]\n");
    insta::assert_snapshot!(world.train("--config my.toml").fails(2), @r"
    error: `data.batch_schedule[0]`: the training part has 1800 characters, but one batch of 400 rows x 7 steps needs 2801

    hint: `batch_size = 257` or `seq_length = 4` in `data.batch_schedule[0]` would fit
    ");
    assert!(!world.exists("runs"));
}

#[test]
fn a_schedule_is_a_flag_a_line_of_the_settings_and_a_part_of_the_announcement() {
    let world = World::with_text();
    let schedule = "--batch-schedule=[{from=0.5,batch_size=6}]";
    let printed = world.train(&format!("--run a --epochs 2 {schedule}")).succeeds().err;
    // Epochs of 85 and of 42 batches: 2 / (0.5/85 + 0.5/42) is 112.4.
    let announced = "2 epochs of 85 batches at first, 112 steps in all; the batches change once";
    assert!(printed.contains(announced), "{printed}");
    assert!(printed.contains("done after 112 steps"), "{printed}");
    let config = world.read("runs/a/config.toml");
    let line = config.lines().find(|line| line.starts_with("batch_schedule")).unwrap();
    let setting = "batch_schedule = [{ from = 0.5, batch_size = 6 }] # ";
    assert!(line.starts_with(setting) && line.ends_with("(from `--batch-schedule`)"), "{line}");
    // The same model of the same settings.
    world.run("train --config runs/a/config.toml --run b --threads 1").succeeds();
    let [a, b] =
        ["a", "b"].map(|run| std::fs::read(world.path(&format!("runs/{run}/model.safetensors"))));
    let tensors = |bytes: Vec<u8>| bytes[bytes.len() - 1000..].to_vec();
    assert_eq!(tensors(a.unwrap()), tensors(b.unwrap()));
}

#[test]
fn a_sweep_can_compare_schedules() {
    let world = World::with_text();
    world.write(
        "s.toml",
        "[set]\ndata = { text = \"text.txt\", batch_size = 3, seq_length = 7 }\n\
         model = { hidden_size = 8, layers = 1 }\ntrain = { max_steps = 4 }\n\
         [grid]\ndata.batch_schedule = [[], [{ from = 0.5, batch_size = 6 }]]\n",
    );
    let printed = world.run("sweep s.toml --threads 1").succeeds();
    assert!(printed.err.contains("batch_schedule-batch_size-6-from-0.5"), "{}", printed.err);
}

#[test]
fn the_recipe_keeps_a_schedule_and_fits_the_length_to_it() {
    let world = World::with_text();
    let schedule = "--batch-schedule=[{from=0.5,batch_size=6}]";
    let line =
        format!("train --text text.txt --minutes 0.03 --threads 1 --length 20 --run a {schedule}");
    world.run(&line).succeeds();
    let config = world.read("runs/a/config.toml");
    let value = |key: &str| -> f64 {
        let line = config.lines().find_map(|line| line.strip_prefix(&format!("{key} = "))).unwrap();
        line.split(' ').next().unwrap().parse().unwrap()
    };
    assert!(config.contains("batch_schedule = [{ from = 0.5, batch_size = 6 }]"), "{config}");
    // 1,799 inputs in batches of N x T, then of 6 x T.
    let [n, t] = ["batch_size", "seq_length"].map(value);
    let [first, second] = [n, 6.0].map(|rows| (1799.0 / (rows * t)).floor());
    let steps = value("epochs") / (0.5 / first + 0.5 / second);
    assert!(value("max_steps") <= steps.round(), "{config}");
    assert!(value("max_steps") > steps - first.max(second), "{config}");
}
