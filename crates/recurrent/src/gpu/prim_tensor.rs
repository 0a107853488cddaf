//! A float tensor of a GPU, below autodiff and dispatch, with the few operations that layers and loss are written in.

use std::ops::{Add, Mul, Range};

use burn::backend::ops::{FloatTensorOps, IntTensorOps};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Cube, Slice, TensorMetadata};

/// The backend's float tensor with operators.
#[derive(Clone, Debug)]
pub struct PrimTensor(pub FloatTensor<Cube>);

impl PrimTensor {
    pub fn zeros_like(&self, shape: &[usize]) -> Self {
        let dtype = self.0.dtype().into();
        Self(Cube::float_zeros(shape.to_vec().into(), &self.0.device(), dtype))
    }

    pub fn dims<const D: usize>(&self) -> [usize; D] {
        self.0.shape().dims()
    }

    pub fn reshape(self, shape: &[usize]) -> Self {
        Self(Cube::float_reshape(self.0, shape.to_vec().into()))
    }

    /// Swaps the two dimensions of a matrix.
    pub fn t(self) -> Self {
        Self(Cube::float_swap_dims(self.0, 0, 1))
    }

    pub fn matmul(self, rhs: Self) -> Self {
        Self(Cube::float_matmul(self.0, rhs.0))
    }

    /// Entries `range` of the first dimension.
    pub fn rows(&self, range: Range<usize>) -> Self {
        let slice = Slice::new(range.start as isize, Some(range.end as isize), 1);
        Self(Cube::float_slice(self.0.clone(), &[slice]))
    }

    /// With zeros after the last entry of the first dimension, up to `length` entries.
    pub fn padded(self, length: usize) -> Self {
        let mut shape: Vec<usize> = self.0.shape().to_vec();
        shape[0] = length - shape[0];
        if shape[0] == 0 {
            return self;
        }
        let zeros = self.zeros_like(&shape);
        Self::cat(vec![self, zeros], 0)
    }

    pub fn cat(parts: Vec<Self>, dim: usize) -> Self {
        Self(Cube::float_cat(parts.into_iter().map(|part| part.0).collect(), dim))
    }

    /// Sum over the rows of a matrix: `[R, C]` to `[C]`.
    pub fn sum_rows(self) -> Self {
        let [_, columns] = self.dims();
        Self(Cube::float_sum_dim(self.0, 0)).reshape(&[columns])
    }

    pub fn scale(self, factor: f32) -> Self {
        Self(Cube::float_mul_scalar(self.0, factor.into()))
    }

    /// `1 - x`.
    pub fn one_minus(self) -> Self {
        Self(Cube::float_add_scalar(Cube::float_neg(self.0), 1f32.into()))
    }
}

impl Add for PrimTensor {
    type Output = Self;
    fn add(self, rhs: Self) -> Self {
        Self(Cube::float_add(self.0, rhs.0))
    }
}

impl Mul for PrimTensor {
    type Output = Self;
    fn mul(self, rhs: Self) -> Self {
        Self(Cube::float_mul(self.0, rhs.0))
    }
}

/// An integer tensor as a matrix: `[R]` to `[R, 1]`.
pub fn column(ids: IntTensor<Cube>) -> IntTensor<Cube> {
    let [rows] = ids.shape().dims();
    Cube::int_reshape(ids, vec![rows, 1].into())
}

/// An integer tensor as a vector.
pub fn flat(ids: IntTensor<Cube>) -> IntTensor<Cube> {
    let elements = ids.shape().num_elements();
    Cube::int_reshape(ids, vec![elements].into())
}
