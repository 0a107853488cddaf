use std::path::Path;

use charloom_data::LastTarget;
use charloom_train::{Clip, Optimizer};

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

#[test]
fn what_is_shown_is_a_settings_file_of_the_same_settings() {
    for text in [
        "",
        "[data]\ntext = \"a \\\"b\\\" \\\\ \\n.txt\"\ntest_fraction = 0.25\nlast_target = \"wrap\"",
        "[model]\ncell = \"gru\"\ninput = { embedding = 7 }\nbias = \"none\"\ninit = { normal = 0.08 }",
        "[model]\ninit = { uniform = 1 }\n[train]\nclip = \"none\"\noptimizer = { lr = 0.3, eps = 0 }",
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
    let Optimizer::Adam { lr, weight_decay, .. } = adjusted;
    assert_eq!((lr, weight_decay), (default.lr(), 0.01));
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
