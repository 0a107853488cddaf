//! Checkpoints of version 1, which are read but no longer written: `place.json` where `progress.json` is now, with other
//! names and with floats as text, and the hidden state in `carry.safetensors`.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Deserializer};

use super::{Info, unreadable};
use crate::lr_schedule::PlateauState;
use crate::progress::{LossWindow, TrainProgress};
use crate::{CheckpointError, NormHistory};

pub const STATE: &str = "carry.safetensors";
const PLACE: &str = "place.json";

#[derive(Deserialize)]
struct Place {
    epoch: usize,
    batch: usize,
    step: usize,
    since: Since,
    evaluated: usize,
    measured: usize,
    learning_rate: FloatText,
    plateau: Plateau,
    smooth_loss: FloatText,
    seconds: f64,
    best: Option<FloatText>,
    counted_best: Option<FloatText>,
    stale: usize,
    text_sha256: String,
}

#[derive(Deserialize)]
struct Since {
    steps: usize,
    loss_sum: FloatText,
    seconds: f64,
}

#[derive(Deserialize)]
struct Plateau {
    best: Option<FloatText>,
    bad: usize,
    lr: Option<FloatText>,
}

/// A float as text, which keeps every bit.
struct FloatText(f64);

impl<'de> Deserialize<'de> for FloatText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

pub fn read_info(checkpoint: &Path) -> Result<Info, CheckpointError> {
    let path = checkpoint.join(PLACE);
    let text = fs::read_to_string(&path).map_err(unreadable(&path))?;
    let place: Place = serde_json::from_str(&text).map_err(unreadable(&path))?;
    let float = |number: Option<FloatText>| number.map(|FloatText(number)| number);
    Ok(Info {
        format_version: 1,
        text_sha256: place.text_sha256,
        config: None,
        progress: TrainProgress {
            epoch: place.epoch,
            batch: place.batch,
            phase: 0,
            step: place.step,
            window: LossWindow {
                steps: place.since.steps,
                chars: 0,
                loss_sum: place.since.loss_sum.0,
                seconds: place.since.seconds,
                communication_seconds: 0.0,
            },
            last_scheduled_eval_step: place.evaluated,
            last_eval_step: place.measured,
            learning_rate: place.learning_rate.0,
            plateau: PlateauState {
                best: float(place.plateau.best),
                bad_evals: place.plateau.bad,
                lr: float(place.plateau.lr),
            },
            smooth_loss: place.smooth_loss.0,
            seconds: place.seconds,
            best_valid_loss: float(place.best),
            best_scheduled_loss: float(place.counted_best),
            evals_without_improvement: place.stale,
            recovery_step: None,
            recoveries: 0,
        },
        gradient_norms: NormHistory::default(),
        changes: Vec::new(),
    })
}
