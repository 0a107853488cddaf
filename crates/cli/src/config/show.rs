//! Settings as a settings file.

use std::collections::HashMap;
use std::fmt;

use charloom_data::LastTarget;
use charloom_model::{CharRnnConfig, Init, InputEncoding};
use charloom_train::{Clip, EvalEvery, Loss, Schedule, StateAtEpoch};

use super::layer::Layers;
use super::resolve::{Resolved, Sample};
use super::{optimizer, raw};

/// The settings as TOML, each with what it means, and where it is from unless it is a default.
pub fn show(resolved: &Resolved, layers: &Layers) -> String {
    let Resolved {
        text,
        fractions,
        batch,
        model,
        epochs,
        max_steps,
        patience,
        seed,
        eval_every,
        optimizer,
        clip,
        schedule,
        loss,
        state,
        sample,
    } = resolved;
    let CharRnnConfig { cell, input, hidden_size, layers: depth, dropout, bias, init, forget_bias } =
        model;
    let Sample { prime, length, temperature, top_k, top_p } = sample;

    let mut page = Page { text: String::new(), origins: origins(layers) };
    page.section("data");
    page.key("data.text", quoted(&text.to_string_lossy()), "what is learnt, UTF-8");
    page.key(
        "data.valid_fraction",
        real(fractions.valid()),
        "its tail, which measures and is not learnt",
    );
    page.key("data.test_fraction", real(fractions.test()), "kept away from both, at its very end");
    page.key(
        "data.batch_size",
        batch.batch_size,
        "N: places of the text that are read side by side",
    );
    page.key(
        "data.seq_length",
        batch.seq_length,
        "T: characters that the network is unrolled over",
    );
    let last_target = match batch.last_target {
        LastTarget::Next => "next",
        LastTarget::Wrap => "wrap",
    };
    page.key(
        "data.last_target",
        quoted(last_target),
        "after a row's end: the \"next\" character, or \"wrap\" to its first",
    );

    page.section("model");
    page.key("model.cell", quoted(&cell.to_string()), "lstm, gru, tanh or relu");
    let input = match input {
        InputEncoding::OneHot => quoted("one-hot"),
        InputEncoding::Embedding(size) => format!("{{ embedding = {size} }}"),
    };
    page.key("model.input", input, "\"one-hot\" or { embedding = D }");
    page.key("model.hidden_size", hidden_size, "H: size of a layer's state");
    page.key("model.layers", depth, "L: recurrent layers, one above the other");
    page.key(
        "model.dropout",
        real(*dropout),
        "probability of dropping a layer's output while training",
    );
    page.key(
        "model.bias",
        quoted(bias.name()),
        "\"double\" (as PyTorch has it), \"single\" or \"none\"",
    );
    let init = match init {
        Init::PyTorch => quoted("pytorch"),
        Init::Uniform(bound) => format!("{{ uniform = {} }}", real(*bound)),
        Init::Normal(std) => format!("{{ normal = {} }}", real(*std)),
    };
    page.key("model.init", init, "\"pytorch\", { uniform = A } or { normal = S }");
    page.key(
        "model.forget_bias",
        forget_bias.map_or_else(|| quoted("none"), real),
        "where the bias of an LSTM's forget gate starts instead, or \"none\"",
    );

    page.section("train");
    page.key("train.epochs", epochs, "times that the training part is read");
    page.key(
        "train.max_steps",
        max_steps,
        "steps after which training ends in any case, 0 for no limit",
    );
    page.key(
        "train.patience",
        patience,
        "evaluations without a better validation loss that end it, 0 for never",
    );
    page.key("train.seed", seed, "governs everything random");
    let eval_every = match eval_every {
        EvalEvery::Epochs(epochs) => format!("{{ epochs = {epochs} }}"),
        EvalEvery::Steps(steps) => format!("{{ steps = {steps} }}"),
    };
    page.key(
        "train.eval_every",
        eval_every,
        "from one evaluation (validation, sample, row of metrics) to the next",
    );
    page.key("train.optimizer", optimizer::show(optimizer), "how gradients become steps");
    let clip = match clip {
        Clip::None => quoted("none"),
        Clip::Norm(limit) => format!("{{ norm = {} }}", real(*limit)),
        Clip::Value(limit) => format!("{{ value = {} }}", real(*limit)),
    };
    page.key(
        "train.clip",
        clip,
        "largest gradient: { norm = X } over all together, { value = X } for each, or \"none\"",
    );
    page.key("train.schedule", written(*schedule), "how the learning rate changes");
    let loss = match loss {
        Loss::Mean => "mean",
        Loss::Sum => "sum",
    };
    page.key(
        "train.loss",
        quoted(loss),
        "what is differentiated: \"mean\" of a batch's characters, or \"sum\" of a row's",
    );
    let state = match state {
        StateAtEpoch::Reset => "reset",
        StateAtEpoch::Carry => "carry",
    };
    page.key(
        "train.state",
        quoted(state),
        "when an epoch begins, \"reset\" to zeros or \"carry\" what was reached",
    );

    page.section("sample");
    page.key("sample.prime", quoted(prime), "what a sample goes on from");
    page.key("sample.length", length, "characters to write at each evaluation");
    page.key(
        "sample.temperature",
        real(*temperature),
        "below 1 careful, above 1 daring, 0 the likeliest always",
    );
    page.key("sample.top_k", top_k, "pick among so many of the likeliest only, 0 for all");
    page.key(
        "sample.top_p",
        real(*top_p),
        "pick among the likeliest of this probability together only, 1 for all",
    );
    page.text
}

/// The schedule with all of its numbers.
fn written(schedule: Schedule) -> String {
    match schedule {
        Schedule::Constant => quoted("constant"),
        Schedule::Exponential { gamma, from_epoch } => {
            format!("{{ exponential = {}, from_epoch = {from_epoch} }}", real(gamma))
        }
        Schedule::Step { gamma, every, from_epoch } => {
            format!("{{ step = {}, every = {every}, from_epoch = {from_epoch} }}", real(gamma))
        }
        Schedule::Linear { end_factor } => format!("{{ linear = {} }}", real(end_factor)),
        Schedule::Cosine { end_factor, warmup_steps } => {
            format!("{{ cosine = {}, warmup_steps = {warmup_steps} }}", real(end_factor))
        }
        Schedule::Plateau { factor, patience } => {
            format!("{{ plateau = {}, patience = {patience} }}", real(factor))
        }
    }
}

/// A float that TOML takes for one.
pub fn real(number: f64) -> String {
    format!("{number:?}")
}

/// A TOML string on one line.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            '\n' => quoted += "\\n",
            '\t' => quoted += "\\t",
            char if char.is_control() => quoted += &format!("\\u{:04X}", char as u32),
            char => quoted.push(char),
        }
    }
    quoted + "\""
}

/// Where the keys are from that are no defaults.
pub fn origins(layers: &Layers) -> HashMap<&'static str, String> {
    let (all, of_optimizer) = (layers.all(), layers.of_optimizer());
    let raw::Data { text, valid_fraction, test_fraction, batch_size, seq_length, last_target } =
        raw::Data::of(all);
    let raw::Model { cell, input, hidden_size, layers, dropout, bias, init, forget_bias } =
        raw::Model::of(all);
    let raw::Train { epochs, max_steps, patience, seed, eval_every, clip, schedule, loss, state } =
        raw::Train::of(all);
    let raw::Optimizer {
        name,
        lr,
        beta1,
        beta2,
        alpha,
        momentum,
        dampening,
        nesterov,
        centered,
        lr_decay,
        eps,
        form,
        weight_decay,
    } = raw::Optimizer::of(of_optimizer);
    let raw::Sample { prime, length, temperature, top_k, top_p } = raw::Sample::of(all);

    let mut origins: HashMap<_, _> = [
        text,
        valid_fraction,
        test_fraction,
        batch_size,
        seq_length,
        last_target,
        cell,
        input,
        hidden_size,
        layers,
        dropout,
        bias,
        init,
        forget_bias,
        epochs,
        max_steps,
        patience,
        seed,
        eval_every,
        clip,
        schedule,
        loss,
        state,
        prime,
        length,
        temperature,
        top_k,
        top_p,
    ]
    .into_iter()
    .filter_map(|found| Some((found.key, found.origin()?)))
    .collect();
    // One line shows them all.
    let of_optimizer = [
        name,
        lr,
        beta1,
        beta2,
        alpha,
        momentum,
        dampening,
        nesterov,
        centered,
        lr_decay,
        eps,
        form,
        weight_decay,
    ];
    let mut of_optimizer: Vec<_> =
        of_optimizer.into_iter().filter_map(|found| found?.origin()).collect();
    of_optimizer.dedup();
    if !of_optimizer.is_empty() {
        origins.insert("train.optimizer", of_optimizer.join(" and "));
    }
    origins
}

struct Page {
    text: String,
    origins: HashMap<&'static str, String>,
}

impl Page {
    fn section(&mut self, name: &str) {
        let gap = if self.text.is_empty() { "" } else { "\n" };
        self.text += &format!("{gap}[{name}]\n");
    }

    fn key(&mut self, path: &str, value: impl fmt::Display, meaning: &str) {
        let name = path.rsplit('.').next().unwrap_or(path);
        // A path may hold what would end a comment.
        let origin = (self.origins.get(path))
            .map(|origin| format!(" (from {})", origin.replace(['\n', '\r'], "?")))
            .unwrap_or_default();
        let setting = format!("{name} = {value}");
        self.text += &format!("{setting:<30} # {meaning}{origin}\n");
    }
}
