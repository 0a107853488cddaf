//! An operation of ours in Burn's queue.
//!
//! On GPUs Burn puts operations off, to fuse what it can. One that it doesn't know is queued with the shapes of its
//! results, and run when its turn comes.

use std::fmt;

use burn::backend::fusion::custom::{
    CustomOpIr, HandleContainer, Operation, OperationIr, StreamId, TensorIr,
};
use burn::backend::fusion::{ExecutionError, FusionBackend, FusionRuntime};
use burn::backend::{Cube, TensorMetadata};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use crate::generic::Raw;

type Runtime = <CubeBackend as FusionBackend>::FusionRuntime;
type Handles = HandleContainer<<Runtime as FusionRuntime>::FusionHandle>;

/// Queues `run`, which is given the inputs in contiguous pieces and gives tensors of the shapes `outputs`, of the
/// inputs' type.
pub fn deferred<const I: usize, const O: usize>(
    name: &str,
    inputs: [Raw<Cube>; I],
    outputs: [[usize; 3]; O],
    run: impl Fn([CubeTensor; I]) -> [CubeTensor; O] + Send + Sync + 'static,
) -> [Raw<Cube>; O] {
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
    let job = Job(move |handles: &mut Handles| {
        let given = inputs.each_ref().map(|input| handles.get_float_tensor::<CubeBackend>(input));
        let found = run(given.map(into_contiguous));
        for (id, tensor) in ids.iter().zip(found) {
            handles.register_float_tensor::<CubeBackend>(id, tensor);
        }
    });
    let operation = OperationIr::Custom(description);
    let tensors = client.register(StreamId::current(), operation, job);
    let tensors: [_; O] = tensors.try_into().expect("a tensor for each output");
    tensors.map(Raw)
}

/// What is run when the queue gets there.
struct Job<F>(F);

impl<F> fmt::Debug for Job<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Job")
    }
}

impl<F: Fn(&mut Handles) + Send + Sync> Operation<Runtime> for Job<F> {
    fn execute(&self, handles: &mut Handles) -> Result<(), ExecutionError> {
        (self.0)(handles);
        Ok(())
    }
}
