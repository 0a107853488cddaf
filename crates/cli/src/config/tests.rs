use std::path::Path;

use charloom_data::LastTarget;
use charloom_model::{Bias, Cell, Init};
use charloom_train::{Clip, EvalEvery, Loss, Optimizer, Schedule, StateAtEpoch};

use super::*;
use crate::args::Settings;

/// What a file with this text resolves to.
fn file(text: &str) -> Resolved {
    resolve(&Layers::new().over(Layer::text(Path::new("a.toml"), text.into()).unwrap())).unwrap()
}

fn set(set: &[&str]) -> Settings {
    Settings { set: set.iter().map(|&set| set.to_owned()).collect(), ..Settings::default() }
}

fn settings(settings: &Settings) -> Resolved {
    resolve(&Layers::from_settings(settings).unwrap()).unwrap()
}

#[test]
fn the_default_settings_have_every_key_in_its_range() {
    let layers = Layers::new();
    let resolved = resolve(&layers).unwrap();
    assert_eq!((resolved.model.layers, resolved.model.hidden_size), (2, 256));
    assert_eq!(resolved.batch.last_target, LastTarget::Next);
    // It must name all keys of its optimizer too, for people to read.
    for key in ["name", "lr", "beta1", "beta2", "eps", "weight_decay"] {
        let line = layer::DEFAULT.lines().find(|line| line.starts_with("optimizer")).unwrap();
        assert!(line.contains(&format!("{key} =")), "{key}");
    }
}

#[test]
fn an_empty_file_changes_nothing() {
    assert_eq!(file(""), resolve(&Layers::new()).unwrap());
}

#[test]
fn the_preset_of_the_classic_exercise_is_the_exercise() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/anna.toml");
    let anna = resolve(&Layers::new().over(Layer::file(&path).unwrap())).unwrap();
    assert_eq!((anna.batch.batch_size, anna.batch.seq_length, anna.epochs), (128, 100, 20));
    assert_eq!((anna.model.layers, anna.model.hidden_size, anna.model.dropout), (2, 256, 0.5));
    assert_eq!((anna.clip, anna.optimizer), (Clip::Norm(5.0), Optimizer::adam(1e-3)));
    assert_eq!((anna.fractions.valid(), anna.batch.last_target), (0.1, LastTarget::Wrap));
}

fn preset(name: &str) -> Resolved {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs").join(name);
    resolve(&Layers::new().over(Layer::file(&path).unwrap())).unwrap()
}

#[test]
fn every_preset_is_a_settings_file_with_every_key() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let layers = Layers::new().over(Layer::file(&path).unwrap());
        let resolved = resolve(&layers).unwrap();
        let page = show(&resolved, &layers);
        assert_eq!(file(&page), resolved, "{}", path.display());
        for key in page.lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key) {
            assert!(text.contains(&format!("\n{key} = ")), "{}: no `{key}`", path.display());
        }
        seen += 1;
    }
    assert!(seen >= 6, "{seen}");
}

#[test]
fn the_preset_of_min_char_rnn_is_the_script() {
    let script = preset("min-char-rnn.toml");
    assert_eq!((script.batch.batch_size, script.batch.seq_length), (1, 25));
    assert_eq!((script.model.cell, script.model.bias), (Cell::Tanh, Bias::Single));
    assert_eq!((script.model.hidden_size, script.model.layers), (100, 1));
    assert_eq!(script.model.init, Init::Normal(0.01));
    assert_eq!(script.optimizer, Optimizer::adagrad_inside(0.1));
    assert_eq!((script.clip, script.loss), (Clip::Value(5.0), Loss::Sum));
    assert_eq!((script.eval_every, script.sample.length), (EvalEvery::Steps(100), 200));
}

#[test]
fn the_preset_of_char_rnn_is_its_defaults() {
    let program = preset("char-rnn.toml");
    assert_eq!((program.batch.batch_size, program.batch.seq_length, program.epochs), (50, 50, 50));
    assert_eq!((program.model.hidden_size, program.model.layers), (128, 2));
    assert_eq!(program.model.init, Init::Uniform(0.08));
    assert_eq!((program.model.forget_bias, program.model.dropout), (Some(1.0), 0.0));
    let (lr, alpha, eps) = (2e-3, 0.95, 1e-8);
    let (momentum, weight_decay) = (0.0, 0.0);
    let rmsprop = Optimizer::RmsProp { lr, alpha, eps, momentum, centered: false, weight_decay };
    assert_eq!((program.optimizer, program.clip), (rmsprop, Clip::Value(5.0)));
    assert_eq!(program.schedule, Schedule::Exponential { gamma: 0.97, from_epoch: 10 });
    assert_eq!((program.loss, program.state), (Loss::Sum, StateAtEpoch::Carry));
}

#[test]
fn the_classic_exercise_comes_in_two_sizes() {
    let (small, mut large) = (preset("anna.toml"), preset("anna-512.toml"));
    assert_eq!(large.model.hidden_size, 512);
    large.model.hidden_size = 256;
    assert_eq!(small, large);
}

#[test]
fn what_is_shown_is_a_settings_file_of_the_same_settings() {
    for text in [
        "",
        "[data]\ntext = \"a \\\"b\\\" \\\\ \\n.txt\"\ntest_fraction = 0.25\nlast_target = \"wrap\"",
        "[model]\ncell = \"gru\"\ninput = { embedding = 7 }\nbias = \"none\"\ninit = { normal = 0.08 }",
        "[model]\ninit = { uniform = 1 }\n[train]\nclip = \"none\"\noptimizer = { lr = 0.3, eps = 0 }",
        "[model]\nforget_bias = -0.5\n[train]\neval_every = { steps = 7 }\nloss = \"sum\"\nstate = \"carry\"",
        "[train]\neval_every = { epochs = 3 }\nschedule = { exponential = 0.9 }\noptimizer = { name = \"adamw\" }",
        "[train]\nschedule = { step = 0.5, every = 4, from_epoch = 9 }\noptimizer = { name = \"rmsprop\", centered = true }",
        "[train]\nschedule = { linear = 0 }\noptimizer = { name = \"sgd\", momentum = 0.9, nesterov = true }",
        "[train]\nschedule = { cosine = 0.1, warmup_steps = 5 }\noptimizer = { name = \"adagrad\", lr_decay = 0.1 }",
        "[train]\nschedule = { plateau = 0.5 }\noptimizer = { name = \"adagrad\", form = \"min-char-rnn\" }",
        "[train]\nclip = { value = 0.5 }\n[sample]\nprime = \"\\té\\u0007\"\ntop_p = 0.9",
    ] {
        let layers = Layers::new().over(Layer::text(Path::new("a"), text.into()).unwrap());
        let resolved = resolve(&layers).unwrap();
        assert_eq!(file(&show(&resolved, &layers)), resolved, "{text}");
    }
}

#[test]
fn flags_go_over_set_goes_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, "[train]\nepochs = 3\nseed = 3\npatience = 3\n").unwrap();
    let typed = Settings {
        config: Some(path),
        seed: Some("5".into()),
        ..set(&["train.seed=4", "train.patience=4"])
    };
    let Resolved { epochs, seed, patience, .. } = settings(&typed);
    assert_eq!((epochs, patience, seed), (3, 4, 5));
}

#[test]
fn a_value_is_shown_with_where_it_is_from() {
    let typed = Settings { lr: Some("0.1".into()), ..set(&["model.layers=1"]) };
    let layers = Layers::from_settings(&typed).unwrap();
    let page = show(&resolve(&layers).unwrap(), &layers);
    let line = |key: &str| page.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
    assert!(line("layers").ends_with("(from `--set model.layers`)"));
    assert!(line("optimizer").ends_with("(from `--lr`)"));
    assert!(!line("epochs").contains("from"));
}

#[test]
fn an_optimizer_that_is_named_begins_with_its_own_defaults() {
    let default = resolve(&Layers::new()).unwrap().optimizer;
    assert_ne!(default, Optimizer::adam(1e-3));
    assert_eq!(file("[train]\noptimizer = { name = \"adam\" }").optimizer, Optimizer::adam(1e-3));
    // Without a name the default one is adjusted.
    let adjusted = file("[train.optimizer]\nweight_decay = 0.01").optimizer;
    let Optimizer::Adam { lr, weight_decay, .. } = adjusted else { panic!("{adjusted:?}") };
    assert_eq!((lr, weight_decay), (default.lr(), 0.01));
}

#[test]
fn each_optimizer_begins_with_pytorchs_defaults() {
    let named = |name| file(&format!("[train.optimizer]\nname = \"{name}\"")).optimizer;
    assert_eq!(named("adamw"), Optimizer::adamw(1e-3));
    assert_eq!(named("sgd"), Optimizer::sgd(1e-3));
    assert_eq!(named("rmsprop"), Optimizer::rmsprop(1e-2));
    assert_eq!(named("adagrad"), Optimizer::adagrad(1e-2));
    let inside = "[train.optimizer]\nname = \"adagrad\"\nform = \"min-char-rnn\"";
    assert_eq!(file(inside).optimizer, Optimizer::adagrad_inside(1e-1));
}

#[test]
fn schedules_begin_when_pytorchs_do_unless_it_is_said() {
    let schedule = |typed| file(&format!("[train]\nschedule = {typed}")).schedule;
    let (gamma, every) = (0.5, 4);
    assert_eq!(schedule("{ exponential = 0.5 }"), Schedule::Exponential { gamma, from_epoch: 1 });
    assert_eq!(
        schedule("{ step = 0.5, every = 4 }"),
        Schedule::Step { gamma, every, from_epoch: 4 }
    );
    assert_eq!(schedule("{ plateau = 0.5 }"), Schedule::Plateau { factor: 0.5, patience: 10 });
    assert_eq!(schedule("{ cosine = 0 }"), Schedule::Cosine { end_factor: 0.0, warmup_steps: 0 });
}

#[test]
fn set_takes_numbers_words_and_tables() {
    let resolved = settings(&set(&[
        "model.cell=tanh",
        "model.input = { embedding = 3 }",
        "train.optimizer.lr=.5",
        "train.clip=none",
        "sample.prime=\"5\"",
        "data.text=a b.txt",
    ]));
    assert_eq!(resolved.model.cell.to_string(), "tanh");
    assert_eq!(resolved.optimizer.lr(), 0.5);
    assert_eq!(resolved.clip, Clip::None);
    assert_eq!(resolved.sample.prime, "5");
    assert_eq!(resolved.text, Path::new("a b.txt"));
}

#[test]
fn a_text_flag_may_look_like_a_number() {
    let typed = Settings { text: Some("1984".into()), ..Settings::default() };
    assert_eq!(settings(&typed).text, Path::new("1984"));
}
