//! `charloom config`, and invalid settings.

use crate::world::{World, names};

/// The message about a settings file with this text.
#[track_caller]
fn refused(text: &str) -> String {
    let world = World::new();
    world.write("my.toml", text);
    let checked = world.run("config check my.toml").fails(2);
    let shown = world.run("config show --config my.toml").fails(2);
    let trained = world.run("train --config my.toml").fails(2);
    assert_eq!((&checked, &checked), (&shown, &trained));
    assert!(!world.exists("runs"));
    checked
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    insta::assert_snapshot!(refused("[train]\n\nepoch = 3\n"), @r"
    error: `my.toml`, line 3: unknown key `train.epoch`

    hint: did you mean `train.epochs`? valid keys: `recipe`, `minutes`, `epochs`, `max_steps`, `patience`, `seed`, `eval_every`, `optimizer`, `clip`, `schedule`, `input_lr`, `dropout_ramp`, `ema`, `loss`, `state`, `precision`, `step_log`, `recover`
    ");
    insta::assert_snapshot!(refused("[training]\nepochs = 3\n"), @r"
    error: `my.toml`, line 1: unknown key `training`

    hint: did you mean `train`? valid keys: `data`, `model`, `train`, `sample`
    ");
    insta::assert_snapshot!(refused("seed = 3\n"), @r"
    error: `my.toml`, line 1: unknown key `seed`

    hint: did you mean `train.seed`? valid keys: `data`, `model`, `train`, `sample`
    ");
    insta::assert_snapshot!(refused("[train.optimizer]\nbeta = 0.9\n"), @r"
    error: `my.toml`, line 2: unknown key `train.optimizer.beta`

    hint: did you mean `train.optimizer.beta1`? valid keys: `name`, `lr`, `beta1`, `beta2`, `eps`, `weight_decay`, `decay_biases`, `momentum`, `dampening`, `nesterov`, `alpha`, `centered`, `lr_decay`, `form`
    ");
    insta::assert_snapshot!(refused("[train]\noptimizer = { name = \"adam\", momentum = 0.9 }\n"), @r"
    error: `my.toml`, line 2: `train.optimizer.momentum` does not belong to `adam`

    hint: `adam` has `lr`, `beta1`, `beta2`, `eps`, `weight_decay`
    ");
}

#[test]
fn a_key_has_one_value_under_its_old_name_and_its_new_one() {
    insta::assert_snapshot!(refused("[data]\nbatch_size = 3\nbatch = 4\n"), @r"
    error: `my.toml`, line 3: `data.batch_size` is given twice

    hint: `data.batch` is another name of `data.batch_size`
    ");
}

#[test]
fn a_wrong_type_is_named_with_what_is_legal() {
    insta::assert_snapshot!(
        refused("# mine\n[train]\nepochs = \"ten\"\n"),
        @r#"error: `my.toml`, line 3: `train.epochs` must be a whole number from 1 to 1000000000, not `"ten"`"#
    );
    insta::assert_snapshot!(
        refused("[data]\ntext = 5\n"),
        @"error: `my.toml`, line 2: `data.text` must be a path in quotes, or a list of paths, not `5`"
    );
    insta::assert_snapshot!(
        refused("train = 5\n"),
        @"error: `my.toml`, line 1: `train` must be a section, `[train]`, not `5`"
    );
    insta::assert_snapshot!(
        refused("[train]\noptimizer = 5\n"),
        @r#"error: `my.toml`, line 2: `train.optimizer` must be `"adam"`, `"adamw"`, `"sgd"`, `"rmsprop"` or `"adagrad"`, or a table with one of these as its `name`, not `5`"#
    );
}

#[test]
fn a_value_out_of_range_is_named_with_the_range() {
    for (text, message) in [
        (
            "[model]\ndropout = 1.0",
            "line 2: `model.dropout` must be a number from 0 to below 1, not `1.0`",
        ),
        (
            "[model]\nlayers = 0",
            "line 2: `model.layers` must be a whole number from 1 to 64, not `0`",
        ),
        (
            "[train]\nseed = -1",
            "line 2: `train.seed` must be a whole number from 0 to 9223372036854775807, not `-1`",
        ),
        (
            "[data]\nvalid_fraction = 0.6\n\ntest_fraction = 0.4",
            "line 4: `data.test_fraction` must be less than 1 - `data.valid_fraction`, which is 0.6, not `0.4`",
        ),
        (
            "[data]\nlast_target = \"none\"",
            "line 2: `data.last_target` must be `\"next\"` or `\"wrap\"`, not `\"none\"`",
        ),
        (
            "[model]\ncell = \"LSTM\"",
            "line 2: `model.cell` must be `\"lstm\"`, `\"gru\"`, `\"tanh\"` or `\"relu\"`, not `\"LSTM\"`",
        ),
        (
            "[train.optimizer]\nname = \"adam\"\nlr = nan",
            "line 3: `train.optimizer.lr` must be a number above 0, up to 10, not `nan`",
        ),
        (
            "[train]\nclip = { norm = 0 }",
            "line 2: `train.clip.norm` must be a number above 0, up to 1000000, not `0`",
        ),
        (
            "[train]\nclip = { norm = 3e37 }",
            "line 2: `train.clip.norm` must be a number above 0, up to 1000000, not `3e37`",
        ),
        (
            "[train]\nclip = { value = 1, norm = 1 }",
            "line 2: `train.clip` must be `\"none\"`, `{ norm = a number above 0, up to 1000000 }`, \
             `{ value = a number above 0, up to 1000000 }` or `{ quantile = a number above 0 and below 1 }`, not `{ norm = 1, value = 1 }`",
        ),
        (
            "[model]\ninput = { embedding = 2.5 }",
            "line 2: `model.input.embedding` must be a whole number from 1 to 65536, not `2.5`",
        ),
        (
            "[data]\ntext = \"\"",
            "line 2: `data.text` must be a path in quotes, or a list of paths, not `\"\"`",
        ),
        (
            "[train]\noptimizer = { name = \"adam\", eps = 0 }",
            "line 2: `train.optimizer.eps` must be a number from 1e-38 to 1, not `0`: \
             below 1e-38 it is 0 in single precision, and a step may divide by it",
        ),
        (
            "[train]\noptimizer = { name = \"rmsprop\", eps = 1e-60 }",
            "line 2: `train.optimizer.eps` must be a number from 1e-38 to 1, not `1e-60`: \
             below 1e-38 it is 0 in single precision, and a step may divide by it",
        ),
    ] {
        assert_eq!(refused(text), format!("error: `my.toml`, {message}"));
    }
}

#[test]
fn an_unknown_optimizer_is_refused_with_the_known_ones() {
    insta::assert_snapshot!(
        refused("[train]\noptimizer = { name = \"adadelta\" }"),
        @r#"error: `my.toml`, line 2: `train.optimizer.name` must be `"adam"`, `"adamw"`, `"sgd"`, `"rmsprop"` or `"adagrad"`, not `"adadelta"`"#
    );
}

#[test]
fn a_key_of_another_optimizer_is_refused_by_name() {
    for (typed, key, of) in [
        ("{ name = \"adamw\", alpha = 0.9 }", "alpha", "`adamw`"),
        ("{ name = \"sgd\", beta1 = 0.9 }", "beta1", "`sgd`"),
        ("{ name = \"rmsprop\", nesterov = true }", "nesterov", "`rmsprop`"),
        ("{ name = \"adagrad\", centered = true }", "centered", "`adagrad`"),
        ("{ name = \"sgd\", form = \"min-char-rnn\" }", "form", "`sgd`"),
    ] {
        let message = refused(&format!("[train]\noptimizer = {typed}\n"));
        let expected = format!(
            "error: `my.toml`, line 2: `train.optimizer.{key}` does not belong to {of}\n\nhint: {of} has `lr`, "
        );
        assert!(message.starts_with(&expected), "{message}");
    }
    insta::assert_snapshot!(
        World::new().run("config show --set train.optimizer.momentum=0.9").fails(2),
        @r"
    error: `--set train.optimizer.momentum` does not belong to `adam`

    hint: `adam` has `lr`, `beta1`, `beta2`, `eps`, `weight_decay`
    "
    );
}

#[test]
fn a_forget_bias_needs_a_forget_gate_with_a_bias() {
    insta::assert_snapshot!(refused("[model]\ncell = \"gru\"\nforget_bias = 1.0\n"), @r#"
    error: `my.toml`, line 3: `model.forget_bias` must be `"none"` where `model.cell` is `"gru"`: only an LSTM has a forget gate

    hint: `--forget-bias none` leaves it to `model.init`
    "#);
    insta::assert_snapshot!(refused("[model]\nforget_bias = 1\nbias = \"none\"\n"), @r#"
    error: `my.toml`, line 2: `model.forget_bias` must be `"none"` where `model.bias` is `"none"`: there is no bias to set

    hint: `--forget-bias none` leaves it to `model.init`
    "#);
}

#[test]
fn an_illegal_training_setting_is_refused_with_the_legal_values() {
    for (text, message) in [
        (
            "[model]\nforget_bias = \"one\"",
            "`model.forget_bias` must be `\"none\"` or a number from -100 to 100, not `\"one\"`",
        ),
        (
            "[model]\ninit = { normal = 0.1, uniform = 0.1 }",
            "`model.init` must be `\"pytorch\"`, `{ uniform = a number above 0, up to 1000000 }` or \
             `{ normal = a number above 0, up to 1000000 }`, not `{ normal = 0.1, uniform = 0.1 }`",
        ),
        (
            "[train]\nloss = \"total\"",
            "`train.loss` must be `\"mean\"` or `\"sum\"`, not `\"total\"`",
        ),
        (
            "[train]\nstate = \"keep\"",
            "`train.state` must be `\"reset\"` or `\"carry\"`, not `\"keep\"`",
        ),
        (
            "[train]\neval_every = 100",
            "`train.eval_every` must be `{ epochs = a whole number from 1 to 1000000000 }` or \
             `{ steps = a whole number from 1 to 1000000000 }`, not `100`",
        ),
        (
            "[train]\neval_every = { steps = 0 }",
            "`train.eval_every.steps` must be a whole number from 1 to 1000000000, not `0`",
        ),
        (
            "[train]\nschedule = { exponential = 1.5 }",
            "`train.schedule.exponential` must be a number above 0, up to 1, not `1.5`",
        ),
        (
            "[train]\nschedule = { step = 0.5 }",
            "`train.schedule` must be `{ step = a number above 0, up to 1, every = a whole number from 1 to \
             1000000000, from_epoch = a whole number from 1 to 1000000000 }`, not `{ step = 0.5 }`",
        ),
        (
            "[train]\nschedule = { step = 0.5, every = 4, from_epoch = 0 }",
            "`train.schedule.from_epoch` must be a whole number from 1 to 1000000000, not `0`",
        ),
        (
            "[train]\nschedule = { cosine = 0.1, warmup = 3 }",
            "`train.schedule.warmup` does not belong to `cosine`\n\nhint: `cosine` has `warmup_steps`",
        ),
        (
            "[train]\nschedule = { plateau = 1 }",
            "`train.schedule.plateau` must be a number above 0 and below 1, not `1`",
        ),
        (
            "[train.optimizer]\nname = \"sgd\"\nnesterov = true",
            "`train.optimizer.nesterov` must be `false` where `momentum` is 0 or `dampening` is not, not `true`",
        ),
        (
            "[train.optimizer]\nname = \"adagrad\"\nform = \"min-char-rnn\"\nlr_decay = 0.1",
            "`train.optimizer.lr_decay` must be 0 where `form` is `\"min-char-rnn\"`, not `0.1`",
        ),
        (
            "[train.optimizer]\nname = \"adagrad\"\nform = \"min-char-rnn\"\nweight_decay = 0.1",
            "`train.optimizer.weight_decay` must be 0 where `form` is `\"min-char-rnn\"`, not `0.1`",
        ),
        (
            "[train.optimizer]\nname = \"rmsprop\"\ncentered = 1",
            "`train.optimizer.centered` must be `true` or `false`, not `1`",
        ),
        (
            "[train.optimizer]\nname = \"adagrad\"\nform = \"torch\"",
            "`train.optimizer.form` must be `\"pytorch\"` or `\"min-char-rnn\"`, not `\"torch\"`",
        ),
    ] {
        let line = text.lines().count();
        assert_eq!(refused(text), format!("error: `my.toml`, line {line}: {message}"));
    }
    let message = refused("[train]\nschedule = \"cosine\"");
    for form in [
        "`\"constant\"`",
        "{ exponential = ",
        "{ step = ",
        "{ linear = ",
        "{ cosine = ",
        "{ plateau = ",
    ] {
        assert!(message.contains(form), "{message}");
    }
}

#[test]
fn every_legal_training_setting_trains() {
    let world = World::with_text();
    for (number, choice) in [
        "--set train.optimizer={name=\"sgd\",momentum=0.5} --set train.schedule={linear=0.1}",
        "--set train.optimizer={name=\"rmsprop\"} --set train.schedule={exponential=0.9} --set train.loss=sum",
        "--set train.optimizer={name=\"adagrad\",form=\"min-char-rnn\"} --set train.state=carry --epochs 2",
        "--set train.optimizer={name=\"adamw\"} --set train.schedule={cosine=0,warmup_steps=9}",
        "--set model.forget_bias=1 --set train.schedule={plateau=0.5,patience=0} --set train.eval_every={steps=20}",
    ]
    .into_iter()
    .enumerate()
    {
        let ran = world.train(&format!("--run r{number} {choice}")).succeeds();
        let smoothed = ran.err.contains("step 20, epoch 1/1 training ") && ran.err.contains(", smoothed ");
        assert_eq!(smoothed, choice.contains("steps=20"), "{}", ran.err);
        world.run(&format!("config check runs/r{number}/config.toml")).succeeds();
    }
    assert_eq!(names(&world.path("runs/r4/samples")).len(), 5);
}

#[test]
fn a_file_that_is_not_toml_is_refused_at_its_line() {
    let message = refused("[data]\nbatch_size = 3\nseq_length 4\n");
    assert!(message.starts_with("error: `my.toml`, line 3: "), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
}

#[test]
fn a_missing_settings_file_is_named() {
    insta::assert_snapshot!(
        World::new().run("config check none.toml").fails(2),
        @"error: could not read the settings file `none.toml`: No such file or directory (os error 2)"
    );
}

#[test]
fn a_flag_out_of_range_is_named_as_it_was_typed() {
    let world = World::with_text();
    for (line, message) in [
        ("--epochs 0", "`--epochs` must be a whole number from 1 to 1000000000, not `0`"),
        ("--dropout 1.5", "`--dropout` must be a number from 0 to below 1, not `1.5`"),
        ("--lr -1e-3", "`--lr` must be a number above 0, up to 10, not `-0.001`"),
        ("--hidden big", "`--hidden-size` must be a whole number from 1 to 65536, not `\"big\"`"),
        (
            "--clip {norm=0}",
            "`--clip`: `train.clip.norm` must be a number above 0, up to 1000000, not `0`",
        ),
        (
            "--optimizer adan",
            "`--optimizer`: `train.optimizer.name` must be `\"adam\"`, `\"adamw\"`, `\"sgd\"`, `\"rmsprop\"` or `\"adagrad\"`, not `\"adan\"`",
        ),
        (
            "--set model.cell=rnn",
            "`--set model.cell` must be `\"lstm\"`, `\"gru\"`, `\"tanh\"` or `\"relu\"`, not `\"rnn\"`",
        ),
    ] {
        let message = format!("error: {message}");
        assert_eq!(world.run(&format!("train --text text.txt {line}")).fails(2), message);
        assert_eq!(world.run(&format!("config show {line}")).fails(2), message);
    }
}

#[test]
fn an_invalid_set_flag_is_refused_with_a_valid_form() {
    let world = World::new();
    insta::assert_snapshot!(world.run("config show --set model.width=3").fails(2), @r"
    error: `--set`: unknown key `model.width`

    hint: valid keys: `cell`, `input`, `hidden_size`, `layers`, `readout`, `dropout`, `output_dropout`, `input_dropout`, `weight_drop`, `bias`, `init`, `forget_bias`, `input_std`
    ");
    insta::assert_snapshot!(world.run("config show --set epochs").fails(2), @r"
    error: `--set` needs `section.key=value`, not `epochs`

    hint: `charloom config show` prints every section and key
    ");
    for wrong in ["epochs=3", "train.epochs=", "train.=3", "train.epochs\n.x=3", "=3"] {
        let message = world.run_args(&["config", "show", "--set", wrong]).fails(2);
        assert!(message.starts_with("error: `--set`"), "{message}");
    }
}

#[test]
fn all_settings_are_shown_as_a_valid_settings_file() {
    let world = World::new();
    let shown = world.run("config show").succeeds();
    assert_eq!(shown.err, "");
    for section in ["[data]", "[model]", "[train]", "[sample]"] {
        assert!(shown.out.contains(section));
    }
    world.write("shown.toml", &shown.out);
    assert_eq!(
        world
            .run("config show --config shown.toml --set data.text=a")
            .succeeds()
            .out
            .lines()
            .count(),
        shown.out.lines().count()
    );
    let checked = world.run("config check shown.toml").succeeds();
    assert_eq!(
        (checked.out.as_str(), checked.err.as_str()),
        ("", "`shown.toml` is a valid settings file\n")
    );
}

#[test]
fn a_presets_settings_are_shown_under_the_flags() {
    let world = World::new();
    let anna = concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/anna.toml");
    let shown = world
        .run_args(&["config", "show", "--config", anna, "--epochs", "3", "--text", "anna.txt"])
        .succeeds()
        .out;
    let line = |key: &str| {
        let line = shown.lines().find(|line| line.starts_with(key)).unwrap();
        line.split('#').next().unwrap().trim().to_owned()
    };
    assert_eq!(line("epochs"), "epochs = 3");
    assert_eq!(line("text"), "text = \"anna.txt\"");
    assert_eq!(line("batch_size"), "batch_size = 128");
    assert_eq!(line("last_target"), "last_target = \"wrap\"");
}
