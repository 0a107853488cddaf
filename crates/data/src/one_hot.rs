//! One-hot encoding of character ids.

use burn::tensor::{Int, Tensor};

/// One-hot vectors of character ids: 1 at the index of the id, 0 elsewhere. An id outside `0..V` gives zeros.
///
/// The layers of charloom-recurrent take ids and never form these vectors; other modules may need them. The comparison
/// runs on the device of the ids, whereas Burn's own `one_hot` reads the tensor back to the host to validate it.
///
/// # Shapes
/// - `ids`: `[N, T]`
/// - output: `[N, T, V]`
///
/// ```
/// # use burn::tensor::{Device, Int, Tensor, TensorData};
/// # use charloom_data::{Vocab, one_hot};
/// let vocab = Vocab::from_text("abc");
/// let ids = Tensor::<2, Int>::from_data([[2, 0]], &Device::flex()); // "ca"
/// let vectors = one_hot(ids, vocab.len());
/// let expected = TensorData::from([[[0.0f32, 0.0, 1.0], [1.0, 0.0, 0.0]]]);
/// vectors.into_data().assert_eq(&expected, true);
/// ```
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
    fn each_vector_is_one_at_the_index_of_its_id() {
        let ids = Tensor::<2, Int>::from_data([[2, 0, 4], [1, 4, 3]], &Device::flex());
        let expected = TensorData::from([
            [[0.0f32, 0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0]],
            [[0.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0, 0.0]],
        ]);
        one_hot(ids, 5).into_data().assert_eq(&expected, true);
    }

    #[test]
    fn an_id_outside_the_vocabulary_gives_zeros() {
        let ids = Tensor::<2, Int>::from_data([[1, 3]], &Device::flex());
        let expected = TensorData::from([[[0.0f32, 1.0, 0.0], [0.0, 0.0, 0.0]]]);
        one_hot(ids, 3).into_data().assert_eq(&expected, true);
    }
}
