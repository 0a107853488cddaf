//! What is known of a run before its training starts.

use charloom_train::settings::PrecisionConfig;
use charloom_train::{EvalInterval, RunConfig, RunFolder};

use crate::args::DeviceArgs;
use crate::device::Backend;
use crate::progress::RunBanner;
use crate::report::pluralize;
use crate::threads;

/// The lines that a training is announced with.
pub fn banner(config: &RunConfig, run: &RunFolder, machine: &DeviceArgs) -> RunBanner {
    let threads = match machine.backend {
        Backend::Flex | Backend::NdArray => format!(", {}", pluralize(threads::count(), "thread")),
        _ => String::new(),
    };
    let precision = match config.train.precision {
        PrecisionConfig::Bf16 => ", bf16",
        PrecisionConfig::F32 | PrecisionConfig::Auto => "",
    };
    let model = &config.model;
    RunBanner {
        text: format!("`{}`", config.data.text),
        network: format!(
            "{}, {} of {}",
            model.cell,
            pluralize(model.layers, "layer"),
            model.hidden_size
        ),
        machine: format!("on {}{threads}{precision}", machine.backend),
        run: format!("`{}`", run.path().display()),
        max_steps: config.train.max_steps,
        evaluates_by_steps: matches!(config.train.eval_every, EvalInterval::Steps(_)),
        samples: false,
        ranks: 1,
    }
}
