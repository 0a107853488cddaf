//! A training as a user starts it follows min-char-rnn; `goldens/min_char_rnn.py` computed what that does, and says why it
//! does so at two learning rates.

mod goldens;
mod runs;

use burn::prelude::*;
use charloom_data::Corpus;
use charloom_model::{Bias, Cell, CharRnnConfig, TrainedModel, TrainingSummary};
use charloom_train::settings::{AdagradConfig, AdagradForm};
use charloom_train::{EvalInterval, GradClip, LossReduction, OptimizerConfig};
use goldens::Golden;
use rand::SeedableRng;
use runs::{Run, Start};

/// 2,000 steps from the script's weights at this rate.
fn trained(golden: &Golden, rate: f64) -> Run {
    let text = golden.text();
    let vocab = Corpus::from_text(&text).unwrap().vocab().clone();
    let config = runs::config(|config| {
        config.model = CharRnnConfig {
            cell: Cell::Tanh,
            hidden_size: 100,
            layers: 1,
            dropout: 0.0,
            bias: Bias::Single,
            ..CharRnnConfig::default()
        };
        (config.data.batch_size, config.data.seq_length) = (1, 25);
        (config.train.epochs, config.train.max_steps) = (19, 2000);
        config.train.optimizer = OptimizerConfig::Adagrad(AdagradConfig {
            lr: rate,
            eps: 1e-8,
            form: AdagradForm::MinCharRnn,
            ..AdagradConfig::default()
        });
        (config.train.clip, config.train.loss) = (GradClip::Value(5.0), LossReduction::Sum);
        config.train.eval_every = EvalInterval::Steps(100);
        (config.sample.length, config.sample.prompt) = (0, String::new());
    });
    let network = config
        .model
        .init(vocab.len(), &Device::flex(), &mut rand_chacha::ChaCha8Rng::seed_from_u64(1))
        .with_parameters::<()>(|name, _| {
            let theirs = match name {
                "rnn.weight_ih_l0" => "weight_ih",
                "rnn.weight_hh_l0" => "weight_hh",
                "rnn.bias_ih_l0" => "bias_ih",
                "fc.weight" => "fc_weight",
                "fc.bias" => "fc_bias",
                _ => return Err(()),
            };
            Ok(golden.data(theirs))
        })
        .unwrap();
    let model =
        TrainedModel { network, config: config.model, vocab, summary: TrainingSummary::default() };
    let run = Run::new("min-char-rnn");
    let start = Start::From(Box::new(model));
    run.launch(config, &Device::flex(), start, &text).unwrap();
    run
}

/// The smoothed loss after every 100 steps.
fn smoothed(run: &Run) -> Vec<f64> {
    run.told.lock().unwrap().evaluations.iter().map(|told| told.smooth_loss).collect()
}

#[test]
fn two_thousand_steps_follow_min_char_rnns_smoothed_loss() {
    let golden = Golden::open("min_char_rnn");
    let run = trained(&golden, 0.01);
    let (expected, found) = (golden.floats("smooth"), smoothed(&run));
    assert_eq!((expected.len(), found.len()), (20, 20));
    for (index, (theirs, ours)) in expected.iter().zip(&found).enumerate() {
        let (step, theirs) = (100 * (index + 1), f64::from(*theirs));
        assert!(
            (theirs - ours).abs() <= 1e-4 * theirs,
            "step {step}: min-char-rnn {theirs}, here {ours}"
        );
    }
    let told = run.told.lock().unwrap();
    assert_eq!((told.steps[106].batch, told.steps[107].batch), (107, 1), "107 steps an epoch");
    // It has learnt: what it says is of a network that moves, not of the smoothing alone.
    assert!(told.steps[1999].loss < 0.8, "{}", told.steps[1999].loss);
}

#[test]
fn at_the_published_rate_training_starts_as_min_char_rnn_does_and_ends_where_its_runs_end() {
    let golden = Golden::open("min_char_rnn");
    let run = trained(&golden, 0.1);
    for (step, theirs) in golden.floats("first_losses").into_iter().enumerate() {
        let (theirs, ours) = (f64::from(theirs), run.losses()[step]);
        assert!(
            (theirs - ours).abs() <= 1e-3 * theirs,
            "step {step}: min-char-rnn {theirs}, here {ours}"
        );
    }
    let bounds = golden.floats("low").into_iter().zip(golden.floats("high"));
    for (index, ((low, high), ours)) in bounds.zip(smoothed(&run)).enumerate() {
        let (step, low, high) = (100 * (index + 1), f64::from(low), f64::from(high));
        assert!(
            (0.93 * low..=1.07 * high).contains(&ours),
            "step {step}: min-char-rnn from {low} to {high}, here {ours}"
        );
    }
}
