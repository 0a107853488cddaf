//! Every optimizer takes PyTorch's steps, or those of the program it is from, for given gradients.

mod goldens;

use burn::module::{Module, Param};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::prelude::*;
use charloom_train::OptimizerConfig;
use charloom_train::settings::{
    AdagradConfig, AdagradForm, AdamConfig, AdamWConfig, RmsPropConfig, SgdConfig,
};

/// A module of one parameter.
#[derive(Module, Debug)]
struct One {
    weight: Param<Tensor<2>>,
}

/// A module of one bias.
#[derive(Module, Debug)]
struct OneBias {
    bias: Param<Tensor<1>>,
}

/// Takes the golden's hundred steps. Before step `restored_at` (from 1) the optimizer goes through its record.
fn parameters(optimizer: OptimizerConfig, restored_at: Option<usize>) -> Vec<Vec<f32>> {
    let golden = goldens::Golden::open("optimizers");
    let plain = Device::flex();
    let initial = Tensor::<2>::from_data(golden.data("initial"), &plain.clone().autodiff());
    let mut module = One { weight: Param::from_tensor(initial) };
    let gradients = golden.floats("gradients");
    let mut steps: ModuleOptimizer = optimizer.init();
    let mut found = Vec::new();
    for (index, gradient) in gradients.chunks_exact(20).enumerate() {
        if restored_at == Some(index + 1) {
            steps = optimizer.init().load_record(steps.to_record());
        }
        let gradient = TensorData::new(gradient.to_vec(), [4, 5]);
        let mut given = GradientsParams::new();
        given.register(module.weight.id, Tensor::<2>::from_data(gradient, &plain));
        module = steps.step(optimizer.lr(), module, given);
        found.push(module.weight.val().into_data().iter::<f32>().collect());
    }
    found
}

#[track_caller]
fn takes_the_steps(name: &str, optimizer: OptimizerConfig) {
    let golden = goldens::Golden::open("optimizers");
    let found = parameters(optimizer, None);
    for step in [1, 10, 100] {
        let expected = golden.floats(&format!("{name}/after_{step}"));
        for (place, (theirs, ours)) in expected.iter().zip(&found[step - 1]).enumerate() {
            assert!(
                (theirs - ours).abs() <= 1e-5 + 1e-5 * theirs.abs(),
                "{name} step {step}, place {place}: PyTorch {theirs}, here {ours}"
            );
        }
    }
    let restored = parameters(optimizer, Some(37));
    assert_eq!(found, restored, "{name}: nothing is lost in a checkpoint");
}

#[test]
fn adam_is_pytorchs() {
    let adam = |lr, weight_decay| {
        OptimizerConfig::Adam(AdamConfig { lr, weight_decay, ..AdamConfig::default() })
    };
    assert_eq!(OptimizerConfig::Adam(AdamConfig::default()), adam(1e-3, 0.0));
    takes_the_steps("adam", adam(1e-3, 0.0));
    takes_the_steps("adam_weight_decay", adam(1e-3, 0.1));
}

#[test]
fn adamw_is_pytorchs() {
    takes_the_steps("adamw", OptimizerConfig::AdamW(AdamWConfig::default()));
    let decaying = AdamWConfig { lr: 1e-2, weight_decay: 0.5, ..AdamWConfig::default() };
    takes_the_steps("adamw_weight_decay", OptimizerConfig::AdamW(decaying));
}

/// With no decay AdamW is Adam: so a bias that is spared takes Adam's steps, while a matrix takes AdamW's.
#[test]
fn adamw_spares_biases_where_it_is_asked_to() {
    let golden = goldens::Golden::open("optimizers");
    let adamw = AdamWConfig { weight_decay: 0.5, decay_biases: false, ..AdamWConfig::default() };
    takes_the_steps(
        "adamw_weight_decay",
        OptimizerConfig::AdamW(AdamWConfig { lr: 1e-2, ..adamw }),
    );
    let device = Device::flex();
    let initial = Tensor::<2>::from_data(golden.data("initial"), &device.clone().autodiff());
    let mut module = OneBias { bias: Param::from_tensor(initial.reshape([20])) };
    let optimizer = OptimizerConfig::AdamW(adamw);
    let mut steps = optimizer.init();
    for gradient in golden.floats("gradients").chunks_exact(20) {
        let mut given = GradientsParams::new();
        given.register(module.bias.id, Tensor::<1>::from_floats(gradient, &device));
        module = steps.step(optimizer.lr(), module, given);
    }
    let found = module.bias.val().into_data();
    for (ours, theirs) in found.iter::<f32>().zip(golden.floats("adam/after_100")) {
        assert!((theirs - ours).abs() <= 1e-5 + 1e-5 * theirs.abs(), "{ours}, PyTorch {theirs}");
    }
}

#[test]
fn gradient_descent_is_pytorchs() {
    let sgd = |momentum, dampening, nesterov, weight_decay| {
        OptimizerConfig::Sgd(SgdConfig { lr: 0.1, momentum, dampening, nesterov, weight_decay })
    };
    takes_the_steps("sgd", sgd(0.0, 0.0, false, 0.0));
    takes_the_steps("sgd_weight_decay", sgd(0.0, 0.0, false, 0.1));
    takes_the_steps("sgd_momentum", sgd(0.9, 0.0, false, 0.0));
    takes_the_steps("sgd_dampening", sgd(0.9, 0.5, false, 0.0));
    takes_the_steps("sgd_nesterov", sgd(0.9, 0.0, true, 0.0));
}

#[test]
fn rmsprop_is_pytorchs() {
    let rmsprop = |momentum, centered, weight_decay| {
        let config = RmsPropConfig::default();
        OptimizerConfig::RmsProp(RmsPropConfig { momentum, centered, weight_decay, ..config })
    };
    takes_the_steps("rmsprop", OptimizerConfig::RmsProp(RmsPropConfig::default()));
    takes_the_steps("rmsprop_momentum", rmsprop(0.9, false, 0.0));
    takes_the_steps("rmsprop_centered", rmsprop(0.0, true, 0.0));
    takes_the_steps("rmsprop_weight_decay", rmsprop(0.0, false, 0.1));
}

#[test]
fn rmsprop_is_torch7s_as_char_rnn_uses_it() {
    let config = RmsPropConfig { lr: 2e-3, alpha: 0.95, ..RmsPropConfig::default() };
    takes_the_steps("rmsprop_torch7", OptimizerConfig::RmsProp(config));
    takes_the_steps("rmsprop_char_rnn", OptimizerConfig::RmsProp(config));
}

#[test]
fn adagrad_is_pytorchs_and_min_char_rnns() {
    let adagrad = |lr_decay, weight_decay| {
        let config = AdagradConfig::default();
        OptimizerConfig::Adagrad(AdagradConfig { lr_decay, weight_decay, ..config })
    };
    takes_the_steps("adagrad", adagrad(0.0, 0.0));
    takes_the_steps("adagrad_lr_decay", adagrad(0.01, 0.0));
    takes_the_steps("adagrad_weight_decay", adagrad(0.0, 0.1));
    let inside = AdagradConfig {
        lr: 0.1,
        eps: 1e-8,
        form: AdagradForm::MinCharRnn,
        ..AdagradConfig::default()
    };
    takes_the_steps("adagrad_inside_root", OptimizerConfig::Adagrad(inside));
}
