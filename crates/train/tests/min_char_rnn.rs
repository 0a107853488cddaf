//! A training as a user starts it follows min-char-rnn; `goldens/min_char_rnn.py` computed what that does.

mod goldens;
mod runs;

use burn::prelude::*;
use charloom_data::{BatchConfig, Corpus, Fractions, LastTarget};
use charloom_model::{Bias, Cell, CharRnnConfig, Summary, TrainedModel};
use charloom_train::{Clip, EvalEvery, Loss, Optimizer, Start};
use rand::SeedableRng;

#[test]
fn two_thousand_steps_follow_min_char_rnns_smoothed_loss() {
    let golden = goldens::Golden::open("min_char_rnn");
    let text = golden.text();
    let vocab = Corpus::from_text(&text).unwrap().vocab().clone();
    let config = runs::config(|config| {
        config.model = CharRnnConfig {
            cell: Cell::Tanh,
            hidden_size: 100,
            layers: 1,
            dropout: 0.0,
            bias: Bias::Single,
            ..CharRnnConfig::new(vocab.len())
        };
        config.batch = BatchConfig { batch_size: 1, seq_length: 25, last_target: LastTarget::Next };
        config.fractions = Fractions::new(0.1, 0.0).unwrap();
        (config.epochs, config.max_steps) = (19, 2000);
        config.optimizer = Optimizer::adagrad_inside(0.1);
        (config.clip, config.loss) = (Clip::Value(5.0), Loss::Sum);
        config.eval_every = EvalEvery::Steps(100);
        (config.sample.length, config.sample.prime) = (0, String::new());
    });
    let network = config
        .model
        .init(&Device::flex(), &mut rand_chacha::ChaCha8Rng::seed_from_u64(1))
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
    let model = TrainedModel { network, config: config.model, vocab, summary: Summary::default() };

    let run = runs::Run::new("min-char-rnn");
    let start = Start::From(Box::new(model));
    run.launch(config, &Device::flex(), start, &text).unwrap();
    let told = run.told.lock().unwrap();
    assert_eq!(told.steps[106].batch, told.steps[106].batches, "107 steps, then from the start");
    let expected = golden.floats("smooth");
    assert_eq!((expected.len(), told.epochs.len()), (20, 20));
    for (theirs, ours) in expected.iter().zip(&told.epochs) {
        let theirs = f64::from(*theirs);
        assert!(
            (theirs - ours.smooth_loss).abs() <= 1e-3 * theirs,
            "step {}: min-char-rnn {theirs}, here {}",
            ours.step,
            ours.smooth_loss
        );
    }
    // It has learnt: what it says is of a network that moves, not of the smoothing alone.
    assert!(told.steps[1999].loss < 0.6, "{}", told.steps[1999].loss);
}
