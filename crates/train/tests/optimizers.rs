//! Every optimizer takes PyTorch's steps, or those of the program it is from, for given gradients.

mod goldens;

use burn::module::{Module, Param};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::prelude::*;
use charloom_train::Optimizer;

/// A module of one parameter.
#[derive(Module, Debug)]
struct One {
    weight: Param<Tensor<2>>,
}

/// Takes the golden's hundred steps. Before step `restored_at` (from 1) the optimizer goes through its record.
fn parameters(optimizer: Optimizer, restored_at: Option<usize>) -> Vec<Vec<f32>> {
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
fn takes_the_steps(name: &str, optimizer: Optimizer) {
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
        let (beta1, beta2, eps) = (0.9, 0.999, 1e-8);
        Optimizer::Adam { lr, beta1, beta2, eps, weight_decay }
    };
    assert_eq!(Optimizer::adam(1e-3), adam(1e-3, 0.0));
    takes_the_steps("adam", Optimizer::adam(1e-3));
    takes_the_steps("adam_weight_decay", adam(1e-3, 0.1));
}

#[test]
fn adamw_is_pytorchs() {
    takes_the_steps("adamw", Optimizer::adamw(1e-3));
    let (beta1, beta2, eps) = (0.9, 0.999, 1e-8);
    let decaying = Optimizer::AdamW { lr: 1e-2, beta1, beta2, eps, weight_decay: 0.5 };
    takes_the_steps("adamw_weight_decay", decaying);
}

#[test]
fn gradient_descent_is_pytorchs() {
    let sgd = |momentum, dampening, nesterov, weight_decay| Optimizer::Sgd {
        lr: 0.1,
        momentum,
        dampening,
        nesterov,
        weight_decay,
    };
    takes_the_steps("sgd", Optimizer::sgd(0.1));
    takes_the_steps("sgd_weight_decay", sgd(0.0, 0.0, false, 0.1));
    takes_the_steps("sgd_momentum", sgd(0.9, 0.0, false, 0.0));
    takes_the_steps("sgd_dampening", sgd(0.9, 0.5, false, 0.0));
    takes_the_steps("sgd_nesterov", sgd(0.9, 0.0, true, 0.0));
}

#[test]
fn rmsprop_is_pytorchs() {
    let rmsprop = |momentum, centered, weight_decay| {
        let (lr, alpha, eps) = (1e-2, 0.99, 1e-8);
        Optimizer::RmsProp { lr, alpha, eps, momentum, centered, weight_decay }
    };
    takes_the_steps("rmsprop", Optimizer::rmsprop(1e-2));
    takes_the_steps("rmsprop_momentum", rmsprop(0.9, false, 0.0));
    takes_the_steps("rmsprop_centered", rmsprop(0.0, true, 0.0));
    takes_the_steps("rmsprop_weight_decay", rmsprop(0.0, false, 0.1));
}

#[test]
fn rmsprop_is_torch7s_as_char_rnn_uses_it() {
    let (lr, alpha, eps, momentum) = (2e-3, 0.95, 1e-8, 0.0);
    let rmsprop =
        Optimizer::RmsProp { lr, alpha, eps, momentum, centered: false, weight_decay: 0.0 };
    takes_the_steps("rmsprop_torch7", rmsprop);
    takes_the_steps("rmsprop_char_rnn", rmsprop);
}

#[test]
fn adagrad_is_pytorchs_and_min_char_rnns() {
    let adagrad = |lr_decay, weight_decay| {
        let (lr, eps) = (1e-2, 1e-10);
        Optimizer::Adagrad { lr, lr_decay, eps, weight_decay }
    };
    takes_the_steps("adagrad", Optimizer::adagrad(1e-2));
    takes_the_steps("adagrad_lr_decay", adagrad(0.01, 0.0));
    takes_the_steps("adagrad_weight_decay", adagrad(0.0, 0.1));
    takes_the_steps("adagrad_inside_root", Optimizer::adagrad_inside(0.1));
}
