//! What must hold of the layers whatever the numbers.

mod goldens;
mod reference;

use burn::prelude::*;
use burn::tensor::DType;
use charloom_recurrent::{
    Cell, Dropout, Precision, Readout, Recurrent, RecurrentConfig, Sequence, StackDropout, State,
    linear_cross_entropy,
};
use rand::SeedableRng;

/// Numbers in ±1 that look random.
fn numbers<const D: usize>(shape: [usize; D], salt: u64, device: &Device) -> Tensor<D> {
    let len: usize = shape.iter().product();
    let value = |i: usize| ((i as f64 * 12.9898 + salt as f64 * 78.233).sin() * 43758.5453).fract();
    let values: Vec<f32> = (0..len).map(|i| value(i) as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn close<const D: usize>(a: Tensor<D>, b: Tensor<D>, tolerance: f64, what: &str) {
    let difference: f64 = (a - b).abs().max().try_into_scalar().unwrap();
    assert!(difference <= tolerance, "{what}: differs by {difference:e}");
}

#[test]
fn a_sequence_gives_what_its_chunks_give_with_carried_state() {
    let device = Device::flex();
    for cell in Cell::ALL {
        let stack = goldens::small_stack(cell, &device);
        let input = numbers([3, 5, 7], 1, &device);
        let (whole, last) = stack.forward(input.clone(), stack.zero_state(3, &device), None);
        let (first, state) =
            stack.forward(input.clone().narrow(1, 0, 2), stack.zero_state(3, &device), None);
        let (second, state) = stack.forward(input.narrow(1, 2, 3), state, None);
        close(whole, Tensor::cat(vec![first, second], 1), 1e-6, &format!("{cell} output"));
        for (a, b) in last.0.into_iter().zip(state.0) {
            close(a, b, 1e-6, &format!("{cell} state"));
        }
    }
}

#[test]
fn an_id_is_equivalent_to_its_one_hot_vector() {
    let device = Device::flex();
    for cell in Cell::ALL {
        let stack = goldens::small_stack(cell, &device);
        let ids = Tensor::<2, Int>::from_ints([[0, 6, 3, 3], [5, 1, 2, 4], [6, 6, 0, 1]], &device);
        let vectors: Tensor<3> = ids.clone().one_hot::<3>(7).float();
        let (from_ids, _) = stack.forward_ids(ids, stack.zero_state(3, &device), None);
        let (from_vectors, _) = stack.forward(vectors, stack.zero_state(3, &device), None);
        close(from_ids, from_vectors, 1e-6, &cell.to_string());
    }
}

#[test]
fn outputs_and_gradients_are_those_that_burns_autodiff_gives_of_the_equations() {
    let device = Device::flex().autodiff();
    for (cell, readout) in Cell::ALL.into_iter().flat_map(|cell| Readout::ALL.map(|of| (cell, of)))
    {
        let stack = Recurrent { readout, ..goldens::small_stack(cell, &device) };
        let input = numbers([5, 3, 7], 2, &device);
        let above = numbers([5, 3, 6], 3, &device);
        let state: Vec<Tensor<3>> =
            (0..2).map(|layer| numbers([cell.states(), 3, 6], 4 + layer, &device)).collect();
        let dropout = StackDropout {
            input: 0.2,
            hidden: 0.3,
            output: 0.4,
            recurrent_weights: 0.25,
            seed: 11,
            rows: None,
        };
        type Run<'a> = &'a dyn Fn(Tensor<3>, Vec<Tensor<3>>) -> (Tensor<3>, Vec<Tensor<3>>);
        let results = |stack: &Recurrent, dtype, run: Run<'_>| {
            let leaf = |x: &Tensor<3>| x.clone().cast(dtype).detach().require_grad();
            let (input, state) = (leaf(&input), state.iter().map(leaf).collect::<Vec<_>>());
            let (output, last) = run(input.clone(), state.clone());
            let squares = last.into_iter().map(|x| x.square().sum()).reduce(|a, b| a + b).unwrap();
            let objective = (output.clone() * above.clone().cast(dtype)).sum() + squares;
            let grads = objective.backward();
            let mut found = vec![("output".to_string(), output.into_data())];
            let mut add = |name: String, grad: TensorData| found.push((name, grad));
            add("input".to_string(), input.grad(&grads).unwrap().into_data());
            for (index, (layer, state)) in stack.layers.iter().zip(&state).enumerate() {
                add(format!("state_l{index}"), state.grad(&grads).unwrap().into_data());
                for (name, weight) in [("ih", &layer.weight_ih), ("hh", &layer.weight_hh)] {
                    let grad = weight.grad(&grads).unwrap();
                    add(format!("weight_{name}_l{index}"), grad.into_data());
                }
                for (name, bias) in [("ih", &layer.bias_ih), ("hh", &layer.bias_hh)] {
                    let grad = bias.as_ref().unwrap().grad(&grads).unwrap();
                    add(format!("bias_{name}_l{index}"), grad.into_data());
                }
            }
            found
        };
        let fused = results(&stack, DType::F32, &|input, state| {
            let (output, last) = stack.run(Sequence::Dense(input), State(state), Some(dropout));
            (output, last.0)
        });
        let double = goldens::in_f64(stack.clone());
        let expected = results(&double, DType::F64, &|input, state| {
            reference::stack(&double, input, state, dropout)
        });
        for ((name, found), (_, expected)) in fused.into_iter().zip(expected) {
            let expected: Vec<f64> = expected.iter().collect();
            let scale = expected.iter().fold(0f64, |a, b| a.max(b.abs()));
            assert_eq!(found.num_elements(), expected.len(), "{cell} {readout:?} {name}");
            for (i, (found, expected)) in found.iter::<f64>().zip(expected).enumerate() {
                let near = (found - expected).abs() <= 2e-6 * scale;
                assert!(near, "{cell} {readout:?} {name}[{i}]: {found}, expected {expected}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "compute in f32")]
fn double_precision_is_refused() {
    let device = Device::flex();
    let stack = goldens::in_f64(goldens::small_stack(Cell::Gru, &device));
    let input = numbers([3, 5, 7], 1, &device).cast(DType::F64);
    let state =
        State(stack.zero_state(3, &device).0.into_iter().map(|x| x.cast(DType::F64)).collect());
    stack.forward(input, state, None);
}

#[test]
fn dropout_spares_the_state_and_scales_what_it_keeps() {
    let device = Device::flex();
    let stack = goldens::small_stack(Cell::Lstm, &device);
    let layer = &stack.layers[0];
    let input = numbers([40, 5, 7], 1, &device);
    let run = |dropout| {
        let state = Tensor::zeros([2, 5, 6], &device);
        layer.forward(Sequence::Dense(input.clone()), state, dropout)
    };
    let (plain, plain_state) = run(None);
    let (dropped, state) = run(Some(Dropout::new(0.25, 9)));
    close(plain_state, state, 0.0, "state");
    let plain: Vec<f32> = plain.into_data().iter().collect();
    let dropped: Vec<f32> = dropped.into_data().iter().collect();
    let kept = dropped.iter().filter(|x| **x != 0.0).count() as f64 / 1200.0;
    assert!((kept - 0.75).abs() < 0.05, "kept {kept}");
    for (p, d) in plain.iter().zip(&dropped).filter(|(_, d)| **d != 0.0) {
        assert!((p / 0.75 - d).abs() <= 1e-6 * p.abs().max(1e-3), "{p} {d}");
    }
}

#[test]
fn the_fused_loss_and_its_gradients_are_those_of_burns_cross_entropy() {
    let device = Device::flex().autodiff();
    let hidden = numbers([11, 6], 1, &device).require_grad();
    let weight = numbers([7, 6], 2, &device).require_grad();
    let bias = numbers([7], 3, &device).require_grad();
    let targets = Tensor::<1, Int>::from_ints([0, 6, 3, 3, 5, 1, 2, 4, 6, 0, 1], &device);
    let fused = linear_cross_entropy(
        hidden.clone(),
        weight.clone(),
        bias.clone(),
        targets.clone(),
        Precision::F32,
    );
    let logits = hidden.clone().matmul(weight.clone().transpose()) + bias.clone().unsqueeze();
    let plain =
        burn::nn::loss::CrossEntropyLossConfig::new().init(&device).forward(logits, targets);
    close(fused.clone().inner(), plain.clone().inner(), 1e-6, "loss");
    // Scaled, so that the gradient from above counts.
    let (fused, plain) = ((fused * 3.0).backward(), (plain * 3.0).backward());
    let grad = |x: &Tensor<2>, grads| x.grad(grads).unwrap();
    close(grad(&hidden, &fused), grad(&hidden, &plain), 1e-6, "hidden");
    close(grad(&weight, &fused), grad(&weight, &plain), 1e-6, "weight");
    close(bias.grad(&fused).unwrap(), bias.grad(&plain).unwrap(), 1e-6, "bias");
}

#[test]
fn a_dropped_id_is_a_one_hot_vector_of_zeros() {
    let device = Device::flex().autodiff();
    let stack = goldens::small_stack(Cell::Gru, &device); // D = 7
    let ids: Vec<i32> = (0..55).map(|i| i * i % 7).collect();
    let one_hot = ids.iter().flat_map(|&id| (0..7).map(move |d| f32::from(d == id)));
    let one_hot = TensorData::new(one_hot.collect::<Vec<_>>(), [11, 5, 7]);
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [11, 5]), &device);
    let dropout = StackDropout { input: 0.3, seed: 3, ..StackDropout::default() };
    let run = |sequence| {
        let state = stack.zero_state(5, &device);
        let (output, _) = stack.run(sequence, state, Some(dropout));
        let grads = output.clone().square().sum().backward();
        let grad = stack.layers[0].weight_ih.grad(&grads).unwrap();
        (output, grad)
    };
    let (of_ids, grad_of_ids) = run(Sequence::Ids(ids));
    let (of_vectors, grad_of_vectors) = run(Sequence::Dense(Tensor::from_data(one_hot, &device)));
    close(of_vectors, of_ids, 1e-6, "output");
    close(grad_of_vectors, grad_of_ids, 1e-5, "gradient of W_ih");
}

#[test]
fn the_sum_of_a_single_layers_output_is_its_output() {
    let device = Device::flex();
    let config = RecurrentConfig::new(Cell::Gru, 7, 6);
    let stack = |readout| {
        let rng = &mut rand_chacha::ChaCha8Rng::seed_from_u64(3);
        config.with_readout(readout).init(&device, rng)
    };
    let input = numbers([3, 5, 7], 1, &device);
    let [last, sum] = Readout::ALL.map(|readout| {
        let stack = stack(readout);
        let dropout = StackDropout::new(0.4, 5);
        stack.forward(input.clone(), stack.zero_state(3, &device), Some(dropout)).0
    });
    close(last, sum, 0.0, "output");
}
