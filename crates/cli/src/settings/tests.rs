use std::path::Path;

use charloom_data::{LastTarget, Newlines, Validation};
use charloom_model::{Bias, Cell, Init};
use charloom_train::settings::{
    AdagradConfig, AdagradForm, AdamConfig, AdamWConfig, RmsPropConfig, SgdConfig,
};
use charloom_train::{
    EpochState, EvalInterval, GradClip, LossReduction, LrSchedule, OptimizerConfig, RunConfig,
};

use toml::Value;

use super::schema::Rule;
use super::*;

mod presets;

const DEFAULT: &str = include_str!("../../../../configs/default.toml");

fn layer(text: &str) -> Layer {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, text).unwrap();
    Layer::file(&path).unwrap()
}

/// What a file with this text resolves to.
fn file(text: &str) -> RunConfig {
    resolve(&Layers::new().over(layer(text))).unwrap()
}

fn set(set: &[&str]) -> SettingsFlags {
    let set = set.iter().map(|&set| set.to_owned()).collect();
    SettingsFlags { set, ..SettingsFlags::default() }
}

fn flag(typed: &str, path: &str, value: &str) -> Flag {
    Flag { typed: typed.into(), path: path.into(), values: vec![value.into()] }
}

fn settings(settings: &SettingsFlags) -> RunConfig {
    resolve(&Layers::from_settings(settings).unwrap()).unwrap()
}

#[test]
fn the_default_file_has_the_defaults_and_every_key() {
    assert_eq!(file(DEFAULT), RunConfig::default());
    assert_eq!(resolve(&Layers::new()).unwrap(), RunConfig::default());
    // What the recipe chooses is there as a comment, with the value that it has without one.
    let uncommented = DEFAULT.lines().map(|line| match line.strip_prefix("# ") {
        Some(setting) if setting.split(' ').nth(1) == Some("=") => setting,
        _ => line,
    });
    let uncommented = uncommented.collect::<Vec<_>>().join("\n");
    assert_eq!(file(&uncommented), RunConfig::default());
    for key in schema::keys() {
        assert!(uncommented.contains(&format!("\n{} = ", key.name)), "{}", key.path);
        let by_recipe = charloom_train::RECIPE_KEYS.iter().any(|recipe| {
            recipe.starts_with(&key.path) && !["train.minutes", "train.recipe"].contains(recipe)
        });
        let is_commented = DEFAULT.contains(&format!("\n# {} = ", key.name));
        assert!(is_commented || !by_recipe, "{}", key.path);
    }
    // It must name all keys of its optimizer too, for people to read.
    for key in ["name", "lr", "beta1", "beta2", "eps", "weight_decay"] {
        let line = uncommented.lines().find(|line| line.starts_with("optimizer")).unwrap();
        assert!(line.contains(&format!("{key} =")), "{key}");
    }
}

#[test]
fn every_key_is_documented_in_one_line_and_every_default_is_legal() {
    let defaults = Layers::new().merge();
    for schema::Key { path, summary, rule, .. } in schema::keys() {
        assert!(!summary.is_empty() && summary.len() < 120 && !summary.ends_with('.'), "{path}");
        rule.check(path, defaults.value(path).unwrap()).unwrap();
    }
}

#[test]
fn short_spellings_of_keys_are_understood() {
    let config = file("[data]\nbatch = 3\nseq = 5\n[model]\nhidden = 7\n[sample]\nprime = \"a\"");
    assert_eq!((config.data.batch_size, config.data.seq_length), (3, 5));
    assert_eq!((config.model.hidden_size, config.sample.prompt.as_str()), (7, "a"));
}

#[test]
fn a_run_that_does_not_say_how_it_is_validated_is_validated_by_rows() {
    let saved = |text: &str| {
        let layer = Layer::saved_text(Path::new("runs/a/config.toml"), text).unwrap();
        resolve(&Layers::new().over(layer)).unwrap().data.validation
    };
    assert_eq!(saved("[data]\nbatch_size = 3"), Validation::Rows);
    assert_eq!(saved("[data]\nvalidation = \"all\""), Validation::All);
}

#[test]
fn an_empty_file_changes_nothing() {
    assert_eq!(file(""), resolve(&Layers::new()).unwrap());
}

/// What a table of this form can look like: with all of its fields, and with those that it needs.
fn samples(form: &schema::Form) -> [String; 2] {
    let field = |schema::Field { name, rule, .. }: &schema::Field| {
        let value = match rule {
            Rule::Whole { max, .. } => max.to_string(),
            Rule::Real { min, max, .. } => format!("{:e}", (min.number + max.number) / 3.0),
            Rule::Bool => "false".to_owned(),
            Rule::Text { .. } => "\"a\"".to_owned(),
            rule => format!("{:?}", rule.words().next().unwrap().word),
        };
        format!("{name} = {value}")
    };
    let table = |fields: Vec<String>| format!("{{ {} }}", fields.join(", "));
    let needed = form.fields.iter().filter(|field| field.is_required);
    [table(form.fields.iter().map(field).collect()), table(needed.map(field).collect())]
}

/// Every word, every form of table and both ends of every range, whatever the key.
#[test]
fn what_is_shown_is_a_settings_file_of_the_same_settings() {
    let mut shown = 0;
    for key in schema::keys() {
        let mut values = Vec::new();
        for rule in key.rule.alternatives() {
            match rule {
                Rule::Whole { min, max } => values.extend([min.to_string(), max.to_string()]),
                Rule::Real { min, max, .. } => {
                    let legal = [min, max].into_iter().filter(|bound| bound.is_legal);
                    values.extend(legal.map(|bound| format!("{:e}", bound.number)));
                    values.extend(["7e-3".to_owned(), "0.123456789012345678".to_owned()]);
                }
                Rule::Text { .. } if key.path == "data.encoding" => {
                    values.extend(["\"auto\"", "\"Shift_JIS\""].map(str::to_owned));
                }
                Rule::Text { .. } => {
                    let texts = ["5", "a \"b\" \\ # c", "\t\u{7}é\u{7f}", "a\nb", "it's", "'''"];
                    values.extend(texts.map(|text| Value::from(text).to_string()));
                }
                Rule::Bool => values.extend(["true".to_owned(), "false".to_owned()]),
                Rule::Word(word) => values.push(format!("{:?}", word.word)),
                Rule::Table(form) => values.extend(samples(form)),
                Rule::List(rule) => {
                    match &**rule {
                        Rule::Table(form) => {
                            values.extend(samples(form).map(|table| format!("[{table}]")));
                        }
                        Rule::Text { .. } => values.push(r#"["a", "b c"]"#.to_owned()),
                        _ => unreachable!("lists are of tables or texts"),
                    }
                    values.push("[]".to_owned());
                }
                Rule::AnyOf(_) => unreachable!("alternatives have no alternatives"),
            }
        }
        for value in values {
            let text = format!("[{}]\n{} = {value}", key.section, key.name);
            let layers = Layers::new().over(layer(&text));
            let config = resolve(&layers).unwrap_or_else(|failure| panic!("{text}: {failure:?}"));
            assert_eq!(file(&show(&config, &layers)), config, "{text}");
            shown += 1;
        }
    }
    assert!(shown > 90, "{shown}");
}

#[test]
fn settings_that_need_each_other_are_shown_as_well() {
    for text in [
        "[model]\ncell = \"gru\"\nbias = \"none\"",
        "[train]\noptimizer = { name = \"sgd\", momentum = 0.9, nesterov = true }",
        "[train]\noptimizer = { name = \"adagrad\", eps = 1e-38, form = \"min-char-rnn\" }",
        "[train]\nclip = \"none\"\noptimizer = { lr = 0.3, eps = 1e-38 }",
        "[data]\nvalid_fraction = 0.5\ntest_fraction = 0.25",
    ] {
        let layers = Layers::new().over(layer(text));
        let config = resolve(&layers).unwrap();
        assert_ne!(config, RunConfig::default());
        assert_eq!(file(&show(&config, &layers)), config, "{text}");
    }
}

#[test]
fn floats_are_shown_as_people_type_them() {
    let optimizer = "[train]\noptimizer = { name = \"adam\", lr = 1e-3, eps = 1e-08 }";
    let layers = Layers::new().over(layer(optimizer));
    let page = show(&resolve(&layers).unwrap(), &layers);
    let adam = "\noptimizer = { name = \"adam\", lr = 0.001, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, \
                weight_decay = 0.0 } #";
    assert!(page.contains(adam), "{page}");
    assert_eq!(inline(&Value::from(vec![3e37, 1e-60])), "[3e37, 1e-60]");
}

#[test]
fn a_run_of_the_first_version_resolves_to_what_it_was_trained_with() {
    let text = include_str!("fixtures/min-char-rnn-format1.toml");
    let saved = Layer::saved_text(Path::new("config.toml"), text).unwrap();
    // Line ends were kept then.
    let mut preset = presets::preset("min-char-rnn.toml");
    preset.data.newlines = Newlines::Keep;
    assert_eq!(resolve(&Layers::new().over(saved)).unwrap(), preset);
}

#[test]
fn what_one_command_line_says_of_the_optimizer_is_meant_together() {
    let flags = vec![flag("--optimizer", "train.optimizer", "sgd")].into();
    let typed = SettingsFlags { flags, ..set(&["train.optimizer.momentum=0.9"]) };
    let sgd = SgdConfig { momentum: 0.9, ..SgdConfig::default() };
    assert_eq!(settings(&typed).train.optimizer, OptimizerConfig::Sgd(sgd));
}

#[test]
fn a_flag_is_given_once_and_a_switch_takes_no_value_from_the_next_flag() {
    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        settings: SettingsFlags,
    }
    let parsed = |line: &str| {
        let line = ["a"].into_iter().chain(line.split_whitespace());
        <Line as clap::Parser>::try_parse_from(line).map(|line| settings(&line.settings))
    };
    assert!(parsed("--epochs 3 --epochs 4").is_err());
    assert!(parsed("--batch 3 --batch-size 4").is_err());
    let config = parsed("--step-log --epochs 3 --hidden 9 --optimizer sgd --lr 0.5").unwrap();
    assert!(config.train.step_log);
    assert_eq!((config.train.epochs, config.model.hidden_size), (3, 9));
    let sgd = SgdConfig { lr: 0.5, ..SgdConfig::default() };
    assert_eq!(config.train.optimizer, OptimizerConfig::Sgd(sgd));
    assert!(!parsed("--step-log=false").unwrap().train.step_log);
}

#[test]
fn flags_go_over_set_goes_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, "[train]\nepochs = 3\nseed = 3\npatience = 3\n").unwrap();
    let typed = SettingsFlags {
        config: Some(path),
        flags: vec![flag("--seed", "train.seed", "5")].into(),
        ..set(&["train.seed=4", "train.patience=4"])
    };
    let config = settings(&typed).train;
    assert_eq!((config.epochs, config.patience, config.seed), (3, 4, 5));
}

#[test]
fn a_value_is_shown_with_where_it_is_from() {
    let flags = vec![flag("--lr", "train.optimizer.lr", "0.1")].into();
    let typed = SettingsFlags { flags, ..set(&["model.layers=1"]) };
    let layers = Layers::from_settings(&typed).unwrap();
    let page = show(&resolve(&layers).unwrap(), &layers);
    let line = |key: &str| page.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
    assert!(line("layers").ends_with("(from `--set model.layers`)"));
    assert!(line("optimizer").ends_with("(from `--lr`)"));
    assert!(!line("epochs").contains("from"));
}

#[test]
fn a_saved_page_is_shown_again_as_it_is() {
    let flags = vec![
        flag("--lr", "train.optimizer.lr", "0.1"),
        flag("--prompt", "sample.prompt", "# Text (from `b`)"),
    ];
    let typed = SettingsFlags { flags: flags.into(), ..set(&["model.layers=1"]) };
    let recipe = [("train.max_steps".to_owned(), Value::from(7))];
    let layers = Layers::from_settings(&typed).unwrap().over(Layer::recipe(recipe).unwrap());
    let page = show(&resolve(&layers).unwrap(), &layers);
    assert!(page.contains("(from the recipe)"), "{page}");
    let saved = |page: &str| Layer::saved_text(Path::new("config.toml"), page).unwrap();
    let again = Layers::new().over(saved(&page));
    assert_eq!(show(&resolve(&again).unwrap(), &again), page);
    // Of a part that was typed later both places are shown, each once.
    let mut page = page;
    for _ in 0..2 {
        let beta = SettingsFlags { ..set(&["train.optimizer.beta2=0.99"]) };
        let changed = Layers::new().over(saved(&page)).over_settings(&beta).unwrap();
        page = show(&resolve(&changed).unwrap(), &changed);
        assert!(page.contains("(from `--lr` and `--set train.optimizer.beta2`)"), "{page}");
    }
}

#[test]
fn an_optimizer_that_is_named_begins_with_its_own_defaults() {
    let default = RunConfig::default().train.optimizer;
    let adam = OptimizerConfig::Adam(AdamConfig::default());
    assert_ne!(default, adam);
    let named = file("[train]\noptimizer = { name = \"adam\" }").train.optimizer;
    assert_eq!(named, adam);
    assert_eq!(file("[train]\noptimizer = \"adam\"").train.optimizer, adam);
    // Without a name the default one is adjusted.
    let adjusted = file("[train.optimizer]\nweight_decay = 0.01").train.optimizer;
    let OptimizerConfig::Adam(AdamConfig { lr, weight_decay, .. }) = adjusted else {
        panic!("{adjusted:?}")
    };
    assert_eq!((lr, weight_decay), (default.lr(), 0.01));
}

#[test]
fn each_optimizer_begins_with_pytorchs_defaults() {
    let named = |name| file(&format!("[train.optimizer]\nname = \"{name}\"")).train.optimizer;
    assert_eq!(named("adamw"), OptimizerConfig::AdamW(AdamWConfig::default()));
    assert_eq!(named("sgd"), OptimizerConfig::Sgd(SgdConfig::default()));
    assert_eq!(named("rmsprop"), OptimizerConfig::RmsProp(RmsPropConfig::default()));
    assert_eq!(named("adagrad"), OptimizerConfig::Adagrad(AdagradConfig::default()));
}

#[test]
fn schedules_begin_when_pytorchs_do_unless_it_is_said() {
    let schedule = |typed| file(&format!("[train]\nschedule = {typed}")).train.schedule;
    let (gamma, every) = (0.5, 4);
    assert_eq!(schedule("{ exponential = 0.5 }"), LrSchedule::Exponential { gamma, from_epoch: 1 });
    assert_eq!(
        schedule("{ step = 0.5, every = 4 }"),
        LrSchedule::Step { gamma, every, from_epoch: None }
    );
    assert_eq!(schedule("{ plateau = 0.5 }"), LrSchedule::Plateau { factor: 0.5, patience: 10 });
    assert_eq!(schedule("{ cosine = 0 }"), LrSchedule::Cosine { end_factor: 0.0, warmup_steps: 0 });
}

#[test]
fn set_takes_numbers_words_and_tables() {
    let config = settings(&set(&[
        "model.cell=tanh",
        "model.input = { embedding = 3 }",
        "train.optimizer.lr=.5",
        "train.clip=none",
        "sample.prime=\"5\"",
        "data.text=a b.txt",
    ]));
    assert_eq!(config.model.cell.to_string(), "tanh");
    assert_eq!(config.train.optimizer.lr(), 0.5);
    assert_eq!(config.train.clip, GradClip::None);
    assert_eq!(config.sample.prompt, "5");
    assert_eq!(config.data.text, "a b.txt".into());
}

#[test]
fn a_text_flag_may_look_like_a_number() {
    let flags = vec![flag("--text", "data.text", "1984")].into();
    let typed = SettingsFlags { flags, ..SettingsFlags::default() };
    assert_eq!(settings(&typed).data.text, "1984".into());
}
