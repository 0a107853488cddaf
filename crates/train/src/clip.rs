//! Gradient clipping.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::GradClip;
use crate::flat::{Flat, flat};
use crate::norm_history::NormHistory;

impl GradClip {
    /// Clips the gradients of a module's parameters. Returns their global norm before that, where it is computed.
    ///
    /// `norms` are those of the steps before, which [`GradClip::Quantile`] needs and adds the norm to. A norm that isn't
    /// finite leaves it and the gradients as they are.
    pub fn apply<M: Module>(
        self,
        module: &M,
        grads: &mut GradientsParams,
        norms: &mut NormHistory,
    ) -> Option<f64> {
        match self {
            Self::None => None,
            Self::Norm(max) => {
                let norm = global_norm(module, grads)?;
                clip_norm(module, grads, &norm, max);
                Some(scalar(norm))
            }
            Self::Quantile(q) => {
                let norm = global_norm(module, grads)?;
                let value = scalar(norm.clone());
                if value.is_finite() {
                    norms.push(value);
                    clip_norm(module, grads, &norm, norms.quantile(q));
                }
                Some(value)
            }
            Self::Value(max) => {
                let mut clamp = |grad: Flat| grad.clamp(-max, max);
                module.visit(&mut MapGradients { grads, map: &mut clamp });
                None
            }
        }
    }
}

/// The norm over the gradients of all parameters together, `[1]`; `None` where there is no gradient.
fn global_norm<M: Module>(module: &M, grads: &GradientsParams) -> Option<Tensor<1>> {
    let mut total = SumOfSquares { grads, sum: None };
    module.visit(&mut total);
    Some(total.sum?.sqrt())
}

/// Scales gradients with this norm so that it is at most `max`.
fn clip_norm<M: Module>(module: &M, grads: &mut GradientsParams, norm: &Tensor<1>, max: f64) {
    // As in PyTorch the factor is max / (norm + 1e-6), and at most 1.
    let factor = (norm.clone() + 1e-6).recip().mul_scalar(max).clamp_max(1.0);
    let mut scale = |grad: Flat| grad * factor.clone();
    module.visit(&mut MapGradients { grads, map: &mut scale });
}

fn scalar(norm: Tensor<1>) -> f64 {
    norm.try_into_scalar::<f64>().unwrap_or(f64::NAN)
}

struct SumOfSquares<'a> {
    grads: &'a GradientsParams,
    sum: Option<Tensor<1>>,
}

impl ModuleVisitor for SumOfSquares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.get::<D>(param.id) {
            let squares = grad.square().sum();
            self.sum = Some(match self.sum.take() {
                Some(sum) => sum + squares,
                None => squares,
            });
        }
    }
}

struct MapGradients<'a> {
    grads: &'a mut GradientsParams,
    map: &'a mut dyn FnMut(Flat) -> Flat,
}

impl ModuleVisitor for MapGradients<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.remove::<D>(param.id) {
            let dims = grad.dims();
            let mapped = (self.map)(flat(grad)).reshape(dims);
            self.grads.register(param.id, mapped);
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[derive(Module, Debug)]
    struct Weights {
        w: Param<Tensor<1>>,
    }

    /// The gradients after clipping, where they were `[3, 4] * scale`, and the norm before.
    fn clipped(clip: GradClip, scale: f64, norms: &mut NormHistory) -> (Vec<f32>, f64) {
        let device = Device::flex().autodiff();
        let tensor = |values: [f32; 2]| Tensor::<1>::from_floats(values, &device);
        let module = Weights { w: Param::from_tensor(tensor([1.0, 1.0])) };
        let loss = (module.w.val() * tensor([3.0, 4.0]).mul_scalar(scale)).sum();
        let mut grads = GradientsParams::from_grads(loss.backward(), &module);
        let norm = clip.apply(&module, &mut grads, norms).unwrap();
        let grad = grads.get::<1>(module.w.id).unwrap();
        (grad.into_data().iter::<f32>().collect(), norm)
    }

    #[test]
    fn the_norm_is_clipped_at_the_quantile_of_those_so_far() {
        let mut norms = NormHistory::default();
        // Norms 15, 5 and 10, then 20: the median of the four is 12.5.
        for (scale, clips_to) in [(3.0, 15.0), (1.0, 5.0), (2.0, 10.0), (4.0, 12.5)] {
            let (grad, norm) = clipped(GradClip::Quantile(0.5), scale, &mut norms);
            assert!((norm - 5.0 * scale).abs() < 1e-5, "{norm}");
            let expected = [0.6, 0.8].map(|part| part * clips_to);
            for (found, expected) in grad.iter().zip(expected) {
                assert!((f64::from(*found) - expected).abs() < 1e-4, "{scale}: {grad:?}");
            }
        }
    }

    #[test]
    fn a_norm_that_is_not_finite_is_not_remembered() {
        let mut norms = NormHistory::default();
        clipped(GradClip::Quantile(0.5), 1.0, &mut norms);
        let before = norms.clone();
        let (_, norm) = clipped(GradClip::Quantile(0.5), f64::INFINITY, &mut norms);
        assert!(!norm.is_finite());
        assert_eq!(norms, before);
    }
}
