//! Cutting gradients that are too large.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::Clip;

impl Clip {
    /// Cuts the gradients of a module's parameters.
    pub fn apply<M: Module>(self, module: &M, grads: &mut GradientsParams) {
        match self {
            Self::None => {}
            Self::Norm(max) => {
                let mut total = SumOfSquares { grads, sum: None };
                module.visit(&mut total);
                if let Some(sum) = total.sum {
                    // As PyTorch: the coefficient is max / (norm + 1e-6), and never above 1.
                    let factor = (sum.sqrt() + 1e-6).recip().mul_scalar(max).clamp_max(1.0);
                    let mut scale = |grad: Flat| grad * factor.clone();
                    module.visit(&mut Each { grads, change: &mut scale });
                }
            }
            Self::Value(max) => {
                let mut clamp = |grad: Flat| grad.clamp(-max, max);
                module.visit(&mut Each { grads, change: &mut clamp });
            }
        }
    }
}

/// A gradient as one row of numbers.
type Flat = Tensor<1>;

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

struct Each<'a> {
    grads: &'a mut GradientsParams,
    change: &'a mut dyn FnMut(Flat) -> Flat,
}

impl ModuleVisitor for Each<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.remove::<D>(param.id) {
            let dims = grad.dims();
            let elements = dims.iter().product::<usize>();
            let changed = (self.change)(grad.reshape([elements])).reshape(dims);
            self.grads.register(param.id, changed);
        }
    }
}
