use super::*;

fn named(tensors: &[(&str, &[usize])]) -> Vec<Shaped> {
    let shaped = |(view, &(name, shape)): (usize, &(&str, &[usize]))| Shaped {
        name: name.to_owned(),
        shape: shape.to_vec(),
        scope: 0,
        view,
    };
    tensors.iter().enumerate().map(shaped).collect()
}

fn of(tensors: &[Shaped], cell: Option<Cell>) -> Result<Layout, String> {
    Layout::of(tensors, &[0], cell).map_err(|misfit| misfit.problem)
}

/// The name of a parameter's tensor.
fn tensor<'a>(layout: &Layout, tensors: &'a [Shaped], parameter: &str) -> &'a str {
    &tensors[layout.tensors[parameter]].name
}

/// A GRU with an embedding: V, D, H, L = 7, 3, 5, 2.
fn gru() -> Vec<Shaped> {
    named(&[
        ("encoder.weight", &[7, 3]),
        ("gru.weight_ih_l0", &[15, 3]),
        ("gru.weight_hh_l0", &[15, 5]),
        ("gru.bias_ih_l0", &[15]),
        ("gru.bias_hh_l0", &[15]),
        ("gru.weight_ih_l1", &[15, 5]),
        ("gru.weight_hh_l1", &[15, 5]),
        ("gru.bias_ih_l1", &[15]),
        ("gru.bias_hh_l1", &[15]),
        ("decoder.weight", &[7, 5]),
        ("decoder.bias", &[7]),
    ])
}

#[test]
fn sizes_cell_and_input_are_deduced_whatever_the_names() {
    let mut strange = gru();
    for tensor in &mut strange {
        tensor.name =
            tensor.name.replace("encoder", "a").replace("gru", "b.c").replace("decoder", "d");
    }
    for tensors in [gru(), strange] {
        let layout = of(&tensors, None).unwrap();
        let CharRnnConfig { cell, input, hidden_size, layers, bias, .. } = layout.config;
        assert_eq!((layout.vocab_size, hidden_size, layers), (7, 5, 2));
        assert_eq!((cell, input, bias), (Cell::Gru, InputEncoding::Embedding(3), Bias::Double));
        for (parameter, index) in [("rnn.weight_ih_l1", 5), ("embed.weight", 0), ("fc.bias", 10)] {
            assert_eq!(tensor(&layout, &tensors, parameter), tensors[index].name);
        }
    }
}

#[test]
fn a_network_without_gates_is_of_the_cell_that_is_asked_for() {
    let elman = named(&[
        ("rnn.weight_ih_l0", &[5, 7]),
        ("rnn.weight_hh_l0", &[5, 5]),
        ("rnn.bias_ih_l0", &[5]),
        ("linear.weight", &[7, 5]),
        ("linear.bias", &[7]),
    ]);
    let config = |cell| of(&elman, cell).map(|layout| layout.config);
    let found = config(None).unwrap();
    assert_eq!((found.cell, found.bias), (Cell::Tanh, Bias::Single));
    assert_eq!(config(Some(Cell::Relu)).unwrap().cell, Cell::Relu);
    let error = config(Some(Cell::Gru)).unwrap_err();
    assert_eq!(error, "its weights are those of tanh cells, not of gru cells");
}

#[test]
fn layers_in_several_modules_follow_one_another_by_their_numbers() {
    let cells = named(&[
        ("cells.10.weight_ih", &[20, 5]),
        ("cells.10.weight_hh", &[20, 5]),
        ("cells.2.weight_ih", &[20, 7]),
        ("cells.2.weight_hh", &[20, 5]),
        ("head.weight", &[7, 5]),
    ]);
    let layout = of(&cells, None).unwrap();
    assert_eq!((layout.config.layers, layout.config.bias), (2, Bias::Without));
    assert_eq!(tensor(&layout, &cells, "rnn.weight_ih_l0"), "cells.2.weight_ih");
    // Without a bias, zeros take its place.
    assert!(!layout.tensors.contains_key("fc.bias"));
}

#[test]
fn layers_that_people_wrote_themselves_are_found_by_their_shapes() {
    let own = named(&[
        ("cell.h2h.weight", &[20, 5]),
        ("cell.x2h.weight", &[20, 7]),
        ("cell.x2h.bias", &[20]),
        ("out.weight", &[7, 5]),
        ("out.bias", &[7]),
    ]);
    let layout = of(&own, None).unwrap();
    assert_eq!((layout.config.cell, layout.config.bias), (Cell::Lstm, Bias::Single));
    assert_eq!(tensor(&layout, &own, "rnn.weight_ih_l0"), "cell.x2h.weight");
    let twins = named(&[("a", &[20, 5]), ("b", &[20, 5]), ("e", &[7, 5]), ("out", &[7, 5])]);
    let misfit = Layout::of(&twins, &[0], None).unwrap_err();
    assert!(misfit.problem.starts_with("two readings are possible: `a` or `b`"), "{misfit:?}");
    assert_eq!(misfit.choices[0].role, "rnn.weight_ih_l0");
}

/// An LSTM whose embedding has the output layer's shape.
fn square(table: &str, output: &str) -> Vec<Shaped> {
    let [ih, hh] = ["rnn.weight_ih_l0", "rnn.weight_hh_l0"];
    named(&[(ih, &[20, 5]), (hh, &[20, 5]), (table, &[7, 5]), (output, &[7, 5])])
}

#[test]
fn where_shapes_allow_two_readings_a_bias_or_a_name_decides_or_both_are_said() {
    let embed = |tensors: &[Shaped]| {
        of(tensors, None).map(|layout| tensor(&layout, tensors, "embed.weight").to_owned())
    };
    assert_eq!(embed(&square("x.weight", "decoder.weight")).as_deref(), Ok("x.weight"));
    assert_eq!(embed(&square("fc.weight", "emb.weight")).as_deref(), Ok("emb.weight"));
    let mut biased = square("x.weight", "y.weight");
    biased.extend(named(&[("x.bias", &[7])]));
    assert_eq!(embed(&biased).as_deref(), Ok("y.weight"));
    let problem = embed(&square("x.weight", "y.weight")).unwrap_err();
    assert_eq!(
        problem,
        "two readings are possible: `x.weight` or `y.weight` is the output layer, the other the embedding"
    );
    // As `--map y.weight=fc` names it.
    assert_eq!(embed(&square("x.weight", "fc.weight")).as_deref(), Ok("x.weight"));
}

#[test]
fn tied_weights_are_the_embedding_and_the_output_layer() {
    // Under two names, which say nothing.
    let mut twice = square("x.weight", "y.weight");
    twice[3].view = twice[2].view;
    assert!(of(&twice, None).is_ok());
    // Under one.
    let mut tied = square("x.weight", "y.weight");
    tied.pop();
    let layout = of(&tied, None).unwrap();
    assert_eq!(layout.config.input, InputEncoding::Embedding(5));
    assert_eq!(layout.tensors["embed.weight"], layout.tensors["fc.weight"]);
}

#[test]
fn two_networks_in_a_file_are_told_apart_by_their_dictionaries() {
    let mut both = gru();
    both.extend(gru());
    for (index, tensor) in both.iter_mut().enumerate() {
        let (scope, prefix) = if index < 11 { (1, "model") } else { (2, "ema") };
        tensor.scope = scope;
        tensor.name = format!("{prefix}.{}", tensor.name);
    }
    let misfit = Layout::of(&both, &[0, 0, 0], None).unwrap_err();
    assert_eq!(
        misfit.problem,
        "it holds more than one network: `model.gru.weight_ih_l0` and `ema.gru.weight_ih_l0` are layers of different ones"
    );
    let TensorRole { name, role } = &misfit.choices[0];
    assert_eq!((&**name, &**role), ("ema", "ignore"));
    assert!(Layout::of(&both[..11], &[0, 0, 0], None).is_ok());
}

#[test]
fn parts_of_a_network_in_several_dictionaries_make_one() {
    let mut parts = gru();
    for tensor in &mut parts {
        tensor.scope = 1 + usize::from(tensor.name.starts_with("gru"));
    }
    assert!(Layout::of(&parts, &[0, 0, 0], None).is_ok());
}

#[test]
fn a_tensor_that_is_missing_too_many_or_misshapen_is_named() {
    let without = |name: &str| {
        let kept = gru().into_iter().filter(|tensor| tensor.name != name).collect::<Vec<_>>();
        of(&kept, None).unwrap_err()
    };
    assert_eq!(without("gru.bias_hh_l1"), "`gru.bias_hh_l1` is missing");
    assert_eq!(without("gru.bias_ih_l0"), "`gru.bias_ih_l0` is missing");
    assert_eq!(without("gru.weight_hh_l1"), "`gru.weight_hh_l1` is missing");
    assert!(without("decoder.weight").contains("no matrix [V, 5] maps its 5 hidden units"));
    let error = "`decoder.weight` [7, 5] would be an output layer of 7 characters, but the layers' input of 3 is neither \
                 one-hot of 7 nor from an embedding [7, 3]";
    assert_eq!(without("encoder.weight"), error);
    let with = |name: &str, shape: &[usize]| {
        let mut tensors = gru();
        tensors.extend(named(&[(name, shape)]));
        of(&tensors, None).unwrap_err()
    };
    for (name, what) in [
        ("norm.running_mean", "part of a batch normalisation"),
        ("attn.in_proj_weight", "part of an attention layer"),
        ("h0", "part of another layer"),
    ] {
        let expected = format!("`{name}` [5] is {what}, which charloom's networks don't have");
        assert_eq!(with(name, &[5]), expected);
    }
    assert!(with("gru.weight_hr_l0", &[5, 5]).contains("is a projection of an LSTM"));
    assert!(with("gru.weight_ih_l0_reverse", &[15, 3]).contains("is of a bidirectional layer"));
    let mut tensors = gru();
    tensors[2].shape = vec![25, 5];
    assert!(of(&tensors, None).unwrap_err().contains("has shape [25, 5], expected [H, H]"));
    tensors[2].shape = vec![15, 0];
    assert!(of(&tensors, None).unwrap_err().contains("expected a matrix"));
    assert_eq!(of(&[], None).unwrap_err(), "it has no tensors");
}
