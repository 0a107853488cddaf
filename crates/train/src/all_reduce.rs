//! The sum of the gradients of all ranks.

use std::time::Instant;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};

use crate::ProcessGroup;

/// Replaces the gradients of a module's parameters, and the loss, by their means over the rows of all ranks, of which this
/// one has the fraction `share`: one message of all gradients in the order of the module, and the loss. All ranks get the
/// same bits; with one process nothing changes.
///
/// # Returns
/// The loss, and the seconds that this took, the wait for the slowest rank included.
pub(crate) fn all_reduce<M: Module>(
    group: &dyn ProcessGroup,
    module: &M,
    grads: &mut GradientsParams,
    loss: f64,
    share: f64,
) -> (f64, f64) {
    if group.size() == 1 {
        return (loss, 0.0);
    }
    let started = Instant::now();
    let mut message = Flatten { grads, values: Vec::new() };
    module.visit(&mut message);
    let mut values = message.values;
    values.push(loss as f32);
    values.iter_mut().for_each(|value| *value *= share as f32);
    group.all_reduce(&mut values);
    module.visit(&mut Unflatten { grads, rest: &values });
    let loss = values.last().map_or(loss, |loss| f64::from(*loss));
    (loss, started.elapsed().as_secs_f64())
}

/// Appends each gradient to one row of numbers.
struct Flatten<'a> {
    grads: &'a GradientsParams,
    values: Vec<f32>,
}

impl ModuleVisitor for Flatten<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.get::<D>(param.id) {
            let data = grad.into_data();
            self.values.extend_from_slice(data.as_slice().expect("gradients are in f32"));
        }
    }
}

/// Takes each gradient from the front of a row of numbers.
struct Unflatten<'a> {
    grads: &'a mut GradientsParams,
    rest: &'a [f32],
}

impl ModuleVisitor for Unflatten<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.remove::<D>(param.id) {
            let (dims, device) = (grad.dims(), grad.device());
            let (values, rest) = self.rest.split_at(dims.iter().product());
            self.rest = rest;
            let data = TensorData::new(values.to_vec(), dims);
            self.grads.register(param.id, Tensor::<D>::from_data(data, &device));
        }
    }
}
