//! Custom operations in Burn's fusion queue.
//!
//! On GPUs Burn executes operations lazily, to fuse what it can. An operation that it doesn't know is registered with the
//! shapes of its outputs, and executed in its turn.

use std::fmt;

use burn::backend::TensorMetadata;
use burn::backend::fusion::custom::{
    CustomOpIr, HandleContainer, Operation, OperationIr, StreamId, TensorIr,
};
use burn::backend::fusion::{ExecutionError, FusionBackend, FusionRuntime};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::prim_tensor::PrimTensor;

type Runtime = <CubeBackend as FusionBackend>::FusionRuntime;
type Handles = HandleContainer<<Runtime as FusionRuntime>::FusionHandle>;

/// Registers `run`, which takes the inputs as contiguous tensors and returns tensors of the shapes `outputs`, of the
/// inputs' type.
pub fn register<const I: usize, const O: usize>(
    name: &str,
    inputs: [PrimTensor; I],
    outputs: [[usize; 3]; O],
    run: impl Fn([CubeTensor; I]) -> [CubeTensor; O] + Send + Sync + 'static,
) -> [PrimTensor; O] {
    let (client, dtype) = (inputs[0].0.client.clone(), inputs[0].0.dtype());
    let inputs = inputs.map(|input| input.0.into_ir());
    let outputs =
        outputs.map(|shape| TensorIr::uninit(client.create_empty_handle(), shape.into(), dtype));
    let description = CustomOpIr {
        id: name.to_string(),
        inputs: inputs.to_vec(),
        outputs: outputs.to_vec(),
        scalars: Vec::new(),
    };
    let ids = outputs.map(|output| output.id);
    let operation = CustomFusionOp(move |handles: &mut Handles| {
        let given = inputs.each_ref().map(|input| handles.get_float_tensor::<CubeBackend>(input));
        let found = run(given.map(into_contiguous));
        for (id, tensor) in ids.iter().zip(found) {
            handles.register_float_tensor::<CubeBackend>(id, tensor);
        }
    });
    let description = OperationIr::Custom(description);
    let tensors = client.register(StreamId::current(), description, operation);
    let tensors: [_; O] = tensors.try_into().expect("a tensor for each output");
    tensors.map(PrimTensor)
}

/// What is executed when the queue gets there.
struct CustomFusionOp<F>(F);

impl<F> fmt::Debug for CustomFusionOp<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomFusionOp")
    }
}

impl<F: Fn(&mut Handles) + Send + Sync> Operation<Runtime> for CustomFusionOp<F> {
    fn execute(&self, handles: &mut Handles) -> Result<(), ExecutionError> {
        (self.0)(handles);
        Ok(())
    }
}
