//! Gradient clipping.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::GradClip;
use crate::flat::{Flat, flat};

impl GradClip {
    /// Clips the gradients of a module's parameters. Returns their global norm before that, where it is computed.
    pub fn apply<M: Module>(self, module: &M, grads: &mut GradientsParams) -> Option<f64> {
        match self {
            Self::None => None,
            Self::Norm(max) => {
                let mut total = SumOfSquares { grads, sum: None };
                module.visit(&mut total);
                let norm = total.sum?.sqrt();
                // As in PyTorch the factor is max / (norm + 1e-6), and at most 1.
                let factor = (norm.clone() + 1e-6).recip().mul_scalar(max).clamp_max(1.0);
                let mut scale = |grad: Flat| grad * factor.clone();
                module.visit(&mut MapGradients { grads, map: &mut scale });
                Some(norm.try_into_scalar::<f64>().unwrap_or(f64::NAN))
            }
            Self::Value(max) => {
                let mut clamp = |grad: Flat| grad.clamp(-max, max);
                module.visit(&mut MapGradients { grads, map: &mut clamp });
                None
            }
        }
    }
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
