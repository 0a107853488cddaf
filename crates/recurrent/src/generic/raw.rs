//! A float tensor of any backend with the few operations that the generic layers are written in.

use std::ops::{Add, Mul, Range, Sub};

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Slice, TensorMetadata};

/// A backend's float tensor with operators, below autodiff and dispatch.
#[derive(Clone, Debug)]
pub struct Raw<B: Backend>(pub FloatTensor<B>);

impl<B: Backend> Raw<B> {
    pub fn zeros_like(&self, shape: &[usize]) -> Self {
        let dtype = self.0.dtype().into();
        Self(B::float_zeros(shape.to_vec().into(), &self.0.device(), dtype))
    }

    pub fn dims<const D: usize>(&self) -> [usize; D] {
        self.0.shape().dims()
    }

    pub fn reshape(self, shape: &[usize]) -> Self {
        Self(B::float_reshape(self.0, shape.to_vec().into()))
    }

    /// Swaps the two dimensions of a matrix.
    pub fn t(self) -> Self {
        Self(B::float_swap_dims(self.0, 0, 1))
    }

    pub fn matmul(self, rhs: Self) -> Self {
        Self(B::float_matmul(self.0, rhs.0))
    }

    /// Entries `range` of the first dimension.
    pub fn rows(&self, range: Range<usize>) -> Self {
        Self(B::float_slice(self.0.clone(), &[slice(range)]))
    }

    /// With zeros behind the last entry of the first dimension, up to `length` entries.
    pub fn padded(self, length: usize) -> Self {
        let mut shape: Vec<usize> = self.0.shape().to_vec();
        shape[0] = length - shape[0];
        if shape[0] == 0 {
            return self;
        }
        let zeros = self.zeros_like(&shape);
        Self::cat(vec![self, zeros], 0)
    }

    /// Entry `index` of the first dimension of a tensor of rank 3, as a matrix.
    pub fn at(&self, index: usize) -> Self {
        let [_, n, h] = self.dims();
        self.rows(index..index + 1).reshape(&[n, h])
    }

    /// Block `index` of `width` columns of a matrix: one gate.
    pub fn gate(&self, index: usize, width: usize) -> Self {
        let all = Slice::new(0, None, 1);
        let columns = slice(index * width..(index + 1) * width);
        Self(B::float_slice(self.0.clone(), &[all, columns]))
    }

    pub fn cat(parts: Vec<Self>, dim: usize) -> Self {
        Self(B::float_cat(parts.into_iter().map(|part| part.0).collect(), dim))
    }

    /// Matrices one behind the other: T times `[N, H]` to `[T, N, H]`.
    pub fn stack(parts: Vec<Self>) -> Self {
        let [n, h] = parts[0].dims();
        let parts = parts.into_iter().map(|part| part.reshape(&[1, n, h])).collect();
        Self::cat(parts, 0)
    }

    /// Sum over the rows of a matrix: `[R, C]` to `[C]`.
    pub fn sum_rows(self) -> Self {
        let [_, columns] = self.dims();
        Self(B::float_sum_dim(self.0, 0)).reshape(&[columns])
    }

    pub fn sigmoid(self) -> Self {
        Self(B::sigmoid(self.0))
    }

    pub fn tanh(self) -> Self {
        Self(B::float_tanh(self.0))
    }

    pub fn relu(self) -> Self {
        Self(B::relu(self.0))
    }

    /// 1 where positive, 0 at zero.
    pub fn sign(self) -> Self {
        Self(B::float_sign(self.0))
    }

    pub fn scale(self, factor: f32) -> Self {
        Self(B::float_mul_scalar(self.0, factor.into()))
    }

    /// `1 - x`.
    pub fn one_minus(self) -> Self {
        Self(B::float_add_scalar(B::float_neg(self.0), 1f32.into()))
    }

    /// `x * (1 - x)`: the logistic function's derivative from its value.
    pub fn sigmoid_slope(self) -> Self {
        self.clone() * self.one_minus()
    }

    /// `1 - x²`: the hyperbolic tangent's derivative from its value.
    pub fn tanh_slope(self) -> Self {
        (self.clone() * self).one_minus()
    }
}

fn slice(range: Range<usize>) -> Slice {
    Slice::new(range.start as isize, Some(range.end as isize), 1)
}

impl<B: Backend> Add for Raw<B> {
    type Output = Self;
    fn add(self, rhs: Self) -> Self {
        Self(B::float_add(self.0, rhs.0))
    }
}

impl<B: Backend> Sub for Raw<B> {
    type Output = Self;
    fn sub(self, rhs: Self) -> Self {
        Self(B::float_sub(self.0, rhs.0))
    }
}

impl<B: Backend> Mul for Raw<B> {
    type Output = Self;
    fn mul(self, rhs: Self) -> Self {
        Self(B::float_mul(self.0, rhs.0))
    }
}
