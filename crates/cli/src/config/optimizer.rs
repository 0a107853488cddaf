//! The optimizer: which of its keys belong to the one that is named, and what they are where nothing is said.

use charloom_train::Optimizer;

use super::layer::Found;
use super::raw;
use super::show::real;
use super::value::Reals;
use crate::report::Result;

/// A name, and the form of it where there are two.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Adam,
    AdamW,
    Sgd,
    RmsProp,
    Adagrad,
    AdagradInside,
}

impl Kind {
    /// As it is typed.
    fn typed(self) -> &'static str {
        match self {
            Self::Adam => "`adam`",
            Self::AdamW => "`adamw`",
            Self::Sgd => "`sgd`",
            Self::RmsProp => "`rmsprop`",
            Self::Adagrad => "`adagrad`",
            Self::AdagradInside => "`adagrad` with `form = \"min-char-rnn\"`",
        }
    }

    /// The keys that belong to it, besides its name.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Adam | Self::AdamW => &["lr", "beta1", "beta2", "eps", "weight_decay"],
            Self::Sgd => &["lr", "momentum", "dampening", "nesterov", "weight_decay"],
            Self::RmsProp => &["lr", "alpha", "eps", "momentum", "centered", "weight_decay"],
            Self::Adagrad => &["lr", "lr_decay", "eps", "weight_decay", "form"],
            Self::AdagradInside => &["lr", "eps", "form"],
        }
    }

    /// What PyTorch begins with, and min-char-rnn where it is of that form.
    fn default(self) -> Optimizer {
        match self {
            Self::Adam => Optimizer::adam(1e-3),
            Self::AdamW => Optimizer::adamw(1e-3),
            Self::Sgd => Optimizer::sgd(1e-3),
            Self::RmsProp => Optimizer::rmsprop(1e-2),
            Self::Adagrad => Optimizer::adagrad(1e-2),
            Self::AdagradInside => Optimizer::adagrad_inside(1e-1),
        }
    }
}

/// Checks the optimizer. What isn't given has its default.
pub fn resolve(section: raw::Optimizer<'_>) -> Result<Optimizer> {
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
    } = section;
    let named = match name {
        None => Kind::Adam,
        Some(name) => name.one_of(&[
            ("adam", Kind::Adam),
            ("adamw", Kind::AdamW),
            ("sgd", Kind::Sgd),
            ("rmsprop", Kind::RmsProp),
            ("adagrad", Kind::Adagrad),
        ])?,
    };
    let kind = match (named, form) {
        (Kind::Adagrad, Some(form)) => {
            form.one_of(&[("pytorch", Kind::Adagrad), ("min-char-rnn", Kind::AdagradInside)])?
        }
        (named, _) => named,
    };
    let of_some = [
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
    for found in of_some.into_iter().flatten() {
        let key = found.key.rsplit('.').next().unwrap_or(found.key);
        if !kind.keys().contains(&key) {
            let keys: Vec<_> = kind.keys().iter().map(|key| format!("`{key}`")).collect();
            let is = format_args!("does not belong to {}", kind.typed()).to_string();
            return Err(found.is(is).hint(format!("{} has {}", kind.typed(), keys.join(", "))));
        }
    }

    let set = |target: &mut f64, found: Option<Found<'_>>, legal| {
        if let Some(found) = found {
            *target = found.real(legal)?;
        }
        Ok(())
    };
    let turn = |target: &mut bool, found: Option<Found<'_>>| {
        if let Some(found) = found {
            *target = found.boolean()?;
        }
        Ok(())
    };
    let mut optimizer = kind.default();
    match &mut optimizer {
        Optimizer::Adam { lr: rate, beta1: b1, beta2: b2, eps: e, weight_decay: w }
        | Optimizer::AdamW { lr: rate, beta1: b1, beta2: b2, eps: e, weight_decay: w } => {
            set(rate, lr, Reals::RATE)?;
            set(b1, beta1, Reals::FRACTION)?;
            set(b2, beta2, Reals::FRACTION)?;
            set(e, eps, Reals::SMALL)?;
            set(w, weight_decay, Reals::SMALL)?;
        }
        Optimizer::Sgd { lr: rate, momentum: m, dampening: d, nesterov: n, weight_decay: w } => {
            set(rate, lr, Reals::RATE)?;
            set(m, momentum, Reals::FRACTION)?;
            set(d, dampening, Reals::SMALL)?;
            turn(n, nesterov)?;
            set(w, weight_decay, Reals::SMALL)?;
            if let Some(found) = nesterov.filter(|_| *n && (*m == 0.0 || *d > 0.0)) {
                return Err(found.must_be("`false` where `momentum` is 0 or `dampening` is not"));
            }
        }
        Optimizer::RmsProp {
            lr: rate,
            alpha: a,
            eps: e,
            momentum: m,
            centered: c,
            weight_decay: w,
        } => {
            set(rate, lr, Reals::RATE)?;
            set(a, alpha, Reals::FRACTION)?;
            set(e, eps, Reals::SMALL)?;
            set(m, momentum, Reals::FRACTION)?;
            turn(c, centered)?;
            set(w, weight_decay, Reals::SMALL)?;
        }
        Optimizer::Adagrad { lr: rate, lr_decay: d, eps: e, weight_decay: w } => {
            set(rate, lr, Reals::RATE)?;
            set(d, lr_decay, Reals::SMALL)?;
            set(e, eps, Reals::SMALL)?;
            set(w, weight_decay, Reals::SMALL)?;
        }
        Optimizer::AdagradInside { lr: rate, eps: e } => {
            set(rate, lr, Reals::RATE)?;
            set(e, eps, Reals::SMALL)?;
        }
    }
    Ok(optimizer)
}

/// The optimizer as a TOML table with all of its keys.
pub fn show(optimizer: &Optimizer) -> String {
    match *optimizer {
        Optimizer::Adam { lr, beta1, beta2, eps, weight_decay }
        | Optimizer::AdamW { lr, beta1, beta2, eps, weight_decay } => {
            let name = if matches!(optimizer, Optimizer::Adam { .. }) { "adam" } else { "adamw" };
            let [lr, beta1, beta2] = [lr, beta1, beta2].map(real);
            let [eps, decay] = [eps, weight_decay].map(real);
            format!(
                "{{ name = \"{name}\", lr = {lr}, beta1 = {beta1}, beta2 = {beta2}, eps = {eps}, weight_decay = {decay} }}"
            )
        }
        Optimizer::Sgd { lr, momentum, dampening, nesterov, weight_decay } => {
            let [lr, momentum] = [lr, momentum].map(real);
            let [dampening, decay] = [dampening, weight_decay].map(real);
            format!(
                "{{ name = \"sgd\", lr = {lr}, momentum = {momentum}, dampening = {dampening}, nesterov = {nesterov}, \
                 weight_decay = {decay} }}"
            )
        }
        Optimizer::RmsProp { lr, alpha, eps, momentum, centered, weight_decay } => {
            let [lr, alpha, eps] = [lr, alpha, eps].map(real);
            let [momentum, decay] = [momentum, weight_decay].map(real);
            format!(
                "{{ name = \"rmsprop\", lr = {lr}, alpha = {alpha}, eps = {eps}, momentum = {momentum}, \
                 centered = {centered}, weight_decay = {decay} }}"
            )
        }
        Optimizer::Adagrad { lr, lr_decay, eps, weight_decay } => {
            let [lr, lr_decay] = [lr, lr_decay].map(real);
            let [eps, decay] = [eps, weight_decay].map(real);
            format!(
                "{{ name = \"adagrad\", lr = {lr}, lr_decay = {lr_decay}, eps = {eps}, weight_decay = {decay}, \
                 form = \"pytorch\" }}"
            )
        }
        Optimizer::AdagradInside { lr, eps } => {
            let [lr, eps] = [lr, eps].map(real);
            format!("{{ name = \"adagrad\", lr = {lr}, eps = {eps}, form = \"min-char-rnn\" }}")
        }
    }
}
