//! The settings files in `configs/`.

use super::*;

/// The settings of a preset.
pub fn preset(name: &str) -> RunConfig {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs").join(name);
    resolve(&Layers::new().over(Layer::file(&path).unwrap())).unwrap()
}

#[test]
fn the_preset_of_the_classic_exercise_is_the_exercise() {
    let anna = preset("anna.toml");
    assert_eq!((anna.data.batch_size, anna.data.seq_length, anna.train.epochs), (128, 100, 20));
    assert_eq!((anna.model.layers, anna.model.hidden_size, anna.model.dropout), (2, 256, 0.5));
    let adam = OptimizerConfig::Adam(AdamConfig::default());
    assert_eq!((anna.train.clip, anna.train.optimizer), (GradClip::Norm(5.0), adam));
    assert_eq!((anna.data.valid_fraction, anna.data.last_target), (0.1, LastTarget::Wrap));
    assert_eq!(anna.data.validation, Validation::Rows);
}

/// What the programs that presets reproduce don't have: off, unless they are asked for.
const OPTIONS: [&str; 18] = [
    "trim_gutenberg",
    "documents",
    "min_count",
    "encoding",
    "newlines",
    "normalize",
    "readout",
    "batch_schedule",
    "row_offset",
    "output_dropout",
    "input_dropout",
    "weight_drop",
    "recipe",
    "minutes",
    "input_lr",
    "dropout_ramp",
    "ema",
    "recover",
];

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
            let is_there =
                ["\n", "\n# "].iter().any(|start| text.contains(&format!("{start}{key} = ")));
            // The presets that reproduce other programs leave out what those don't have.
            assert!(is_there || OPTIONS.contains(&key.trim()), "{}: no `{key}`", path.display());
        }
        let options = |RunConfig { data, model, train, .. }: &RunConfig| {
            let dropout = (model.output_dropout, model.input_dropout, model.weight_drop);
            let batches = (data.batch_schedule.clone(), data.row_offset);
            (batches, model.readout, dropout, train.input_lr, train.dropout_ramp, train.ema)
        };
        assert_eq!(options(&resolved), options(&RunConfig::default()), "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 6, "{seen}");
}

#[test]
fn the_preset_of_min_char_rnn_is_the_script() {
    let script = preset("min-char-rnn.toml");
    assert_eq!((script.data.batch_size, script.data.seq_length), (1, 25));
    assert_eq!((script.model.cell, script.model.bias), (Cell::Tanh, Bias::Single));
    assert_eq!((script.model.hidden_size, script.model.layers), (100, 1));
    assert_eq!(script.model.init, Init::Normal(0.01));
    let form = AdagradForm::MinCharRnn;
    let adagrad = AdagradConfig { lr: 0.1, eps: 1e-8, form, ..AdagradConfig::default() };
    assert_eq!(script.train.optimizer, OptimizerConfig::Adagrad(adagrad));
    assert_eq!((script.train.clip, script.train.loss), (GradClip::Value(5.0), LossReduction::Sum));
    assert_eq!((script.train.eval_every, script.sample.length), (EvalInterval::Steps(100), 200));
}

#[test]
fn the_preset_of_char_rnn_is_its_defaults() {
    let program = preset("char-rnn.toml");
    assert_eq!(
        (program.data.batch_size, program.data.seq_length, program.train.epochs),
        (50, 50, 50)
    );
    assert_eq!((program.model.hidden_size, program.model.layers), (128, 2));
    assert_eq!(program.model.init, Init::Uniform(0.08));
    assert_eq!((program.model.forget_bias, program.model.dropout), (Some(1.0), 0.0));
    let rmsprop = RmsPropConfig { lr: 2e-3, alpha: 0.95, ..RmsPropConfig::default() };
    assert_eq!(program.train.optimizer, OptimizerConfig::RmsProp(rmsprop));
    assert_eq!(program.train.clip, GradClip::Value(5.0));
    let schedule = LrSchedule::Exponential { gamma: 0.97, from_epoch: 10 };
    assert_eq!(program.train.schedule, schedule);
    assert_eq!((program.train.loss, program.train.state), (LossReduction::Sum, EpochState::Carry));
}

#[test]
fn the_classic_exercise_comes_in_two_sizes() {
    let (small, mut large) = (preset("anna.toml"), preset("anna-512.toml"));
    assert_eq!(large.model.hidden_size, 512);
    large.model.hidden_size = 256;
    assert_eq!(small, large);
}
