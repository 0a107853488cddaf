//! Parameters and gradients as rows of numbers, whatever their rank.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;

/// A parameter or a gradient as one row of numbers.
pub(crate) type Flat = Tensor<1>;

/// A tensor as one row of numbers.
pub(crate) fn flat<const D: usize>(tensor: Tensor<D>) -> Flat {
    let elements = tensor.dims().iter().product::<usize>();
    tensor.reshape([elements])
}

/// The values of all parameters of a module, in its order.
pub(crate) fn flat_parameters<M: Module>(module: &M) -> Vec<(ParamId, Flat)> {
    let mut values = Values(Vec::new());
    module.visit(&mut values);
    values.0
}

struct Values(Vec<(ParamId, Flat)>);

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push((param.id, flat(param.val())));
    }
}
