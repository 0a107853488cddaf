//! What differs by device.

use burn::backend::DispatchDevice;
use burn::tensor::Device;

use crate::{Precision, cpu};

/// Whether tensors of this device are computed by this crate's CPU kernels.
pub fn has_cpu_kernels(device: &Device) -> bool {
    match device.clone().without_autodiff().as_dispatch() {
        #[cfg(feature = "flex")]
        DispatchDevice::Flex(_) => true,
        #[cfg(feature = "ndarray")]
        DispatchDevice::NdArray(_) => true,
        #[allow(unreachable_patterns, reason = "which there are depends on the features")]
        _ => false,
    }
}

impl Precision {
    /// The fastest on a device: bf16 where the processor has instructions for it that are faster than those for f32.
    pub fn fastest(device: &Device) -> Self {
        if has_cpu_kernels(device) && cpu::bf16_is_fast() { Self::Bf16 } else { Self::F32 }
    }
}
