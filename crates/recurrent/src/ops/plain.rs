//! Operations outside autodiff.

/// Outside autodiff an operation is its kernel.
macro_rules! undifferentiated {
    ($backend:ty) => {
        impl crate::ops::RecurrentOps for $backend {
            fn recurrent_layer(
                input: crate::ops::LayerInput<Self>,
                weights: crate::ops::LayerWeights<Self>,
                state: burn::backend::tensor::FloatTensor<Self>,
                spec: crate::ops::LayerSpec,
            ) -> burn::backend::tensor::FloatTensor<Self> {
                <Self as crate::ops::RecurrentKernels>::layer(input, weights, state, spec)
            }

            fn linear_cross_entropy(
                hidden: burn::backend::tensor::FloatTensor<Self>,
                weight: burn::backend::tensor::FloatTensor<Self>,
                bias: burn::backend::tensor::FloatTensor<Self>,
                targets: burn::backend::tensor::IntTensor<Self>,
            ) -> burn::backend::tensor::FloatTensor<Self> {
                <Self as crate::ops::RecurrentKernels>::loss(hidden, weight, bias, targets, false).0
            }

            fn linear_scores(
                hidden: burn::backend::tensor::FloatTensor<Self>,
                weight: burn::backend::tensor::FloatTensor<Self>,
                bias: burn::backend::tensor::FloatTensor<Self>,
                targets: burn::backend::tensor::IntTensor<Self>,
            ) -> burn::backend::tensor::FloatTensor<Self> {
                <Self as crate::ops::RecurrentKernels>::scores(hidden, weight, bias, targets)
            }
        }
    };
}

pub(super) use undifferentiated;
