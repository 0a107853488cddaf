//! One-hot encoding of character ids.

use burn::tensor::{Int, Tensor};

/// A 1 at each id's place among V zeros.
///
/// The comparison runs on the ids' device. (Burn's own `one_hot` reads the tensor back to the host twice to check it.)
/// An id outside `0..V` gives zeros.
///
/// # Shapes
/// - `ids`: `[N, T]`
/// - output: `[N, T, V]`
pub fn one_hot(ids: Tensor<2, Int>, vocab_len: usize) -> Tensor<3> {
    let options = (&ids.device(), ids.dtype());
    let alphabet = Tensor::<1, Int>::arange(0..vocab_len as i64, options);
    let alphabet = alphabet.reshape([1, 1, vocab_len]); // [1, 1, V]
    let ids = ids.unsqueeze_dim::<3>(2); // [N, T, 1]
    ids.equal(alphabet).float() // [N, T, V]
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn each_id_has_its_one_in_its_place() {
        let ids = Tensor::<2, Int>::from_data([[2, 0, 4], [1, 4, 3]], &Device::flex());
        let expected = TensorData::from([
            [[0.0f32, 0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0]],
            [[0.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0, 0.0]],
        ]);
        one_hot(ids, 5).into_data().assert_eq(&expected, true);
    }

    #[test]
    fn an_id_beyond_the_vocabulary_has_no_one() {
        let ids = Tensor::<2, Int>::from_data([[1, 3]], &Device::flex());
        let expected = TensorData::from([[[0.0f32, 1.0, 0.0], [0.0, 0.0, 0.0]]]);
        one_hot(ids, 3).into_data().assert_eq(&expected, true);
    }
}
