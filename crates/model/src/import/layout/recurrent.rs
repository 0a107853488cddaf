//! The recurrent layers among tensors: by PyTorch's names under any prefix, or else by their shapes.

use std::collections::BTreeMap;

use super::{Misfit, Rank, Shaped};
use crate::Cell;

/// Recurrent layers that follow one another.
#[derive(Debug)]
pub struct Stack {
    pub layers: Vec<Layer>,
    /// Input size of the first layer.
    pub input_size: usize,
    pub hidden_size: usize,
}

/// The tensors of a layer, as indices.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    pub weight_ih: usize,
    pub weight_hh: usize,
    pub bias_ih: Option<usize>,
    pub bias_hh: Option<usize>,
}

impl Stack {
    /// Whether a tensor is part of one of the layers.
    pub fn has(&self, index: usize) -> bool {
        self.layers.iter().any(|layer| {
            let Layer { weight_ih, weight_hh, bias_ih, bias_hh } = *layer;
            [Some(weight_ih), Some(weight_hh), bias_ih, bias_hh].contains(&Some(index))
        })
    }
}

/// The parts of a recurrent layer, by the names that PyTorch gives them in layers and in cells.
const PARTS: [&str; 4] = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"];

/// The possible readings of tensors as recurrent layers.
///
/// # Errors
/// If tensors with the names of recurrent layers don't make any that charloom has.
pub fn stacks(tensors: &[&Shaped], cell: Option<Cell>) -> Result<Vec<Stack>, Misfit> {
    let modules = modules(tensors)?;
    if modules.is_empty() {
        return by_shape(tensors, cell);
    }
    named(tensors, modules).map(|stack| vec![stack])
}

/// The misfit of tensors without recurrent layers.
pub fn none(tensors: &[&Shaped]) -> Misfit {
    let strange = tensors.iter().find(|tensor| layer_kind(&tensor.name) != OTHER_LAYER);
    let problem = match strange {
        Some(Shaped { name, shape, .. }) => {
            format!("it has no recurrent layers; `{name}` {shape:?} is {}", layer_kind(name))
        }
        None => "it has no recurrent layers: no two matrices are [4H, D] and [4H, H] (LSTM), [3H, D] and \
                 [3H, H] (GRU), or [H, D] and [H, H]"
            .into(),
    };
    Misfit::new(Rank::Nothing, problem)
}

/// What a tensor is part of, by marks in names that are the same everywhere.
pub fn layer_kind(name: &str) -> &'static str {
    let name = name.to_lowercase();
    let has = |marks: &[&str]| marks.iter().any(|mark| name.contains(mark));
    match () {
        () if has(&["attn", "attention", "in_proj_"]) => "part of an attention layer",
        () if has(&["running_mean", "running_var", "batchnorm", "batch_norm"]) => {
            "part of a batch normalisation"
        }
        () if has(&["norm"]) => "part of a normalisation layer",
        () if has(&["conv"]) => "part of a convolution",
        () if has(&["weight_g", "weight_v", "parametrizations"]) => {
            "part of a weight normalisation"
        }
        () => OTHER_LAYER,
    }
}

/// What is said of a tensor whose name tells nothing.
pub const OTHER_LAYER: &str = "part of another layer";

/// The named parts of the layers of a module, by the layer's number.
type Layers = BTreeMap<usize, [Option<usize>; 4]>;

/// The modules that have tensors with the names of recurrent layers, in the order of the file.
fn modules(tensors: &[&Shaped]) -> Result<Vec<(String, Layers)>, Misfit> {
    let mut modules: Vec<(String, Layers)> = Vec::new();
    for (index, tensor) in tensors.iter().enumerate() {
        let Shaped { name, shape, .. } = tensor;
        let (module, last) = name.rsplit_once('.').unwrap_or(("", name));
        if last.starts_with("weight_hr_l") {
            let problem = format!(
                "`{name}` {shape:?} is a projection of an LSTM (`proj_size`), which charloom doesn't support"
            );
            return Err(Misfit::new(Rank::Certain, problem));
        }
        // What drops weights keeps them under another name.
        let last = last.strip_suffix("_raw").unwrap_or(last);
        let module = module.strip_suffix(".module").unwrap_or(module);
        let Some(part) = PARTS.iter().position(|part| last.starts_with(part)) else { continue };
        let number = &last[PARTS[part].len()..];
        if number.ends_with("_reverse") {
            let problem = format!(
                "`{name}` {shape:?} is of a bidirectional layer, which can't generate text"
            );
            return Err(Misfit::new(Rank::Certain, problem));
        }
        let layer = match number.strip_prefix("_l") {
            Some(layer) => layer.parse::<usize>().ok(),
            None => number.is_empty().then_some(0),
        };
        let Some(layer) = layer else { continue };
        let place = modules.iter().position(|(name, _)| name == module).unwrap_or_else(|| {
            modules.push((module.to_owned(), Layers::new()));
            modules.len() - 1
        });
        let slot = &mut modules[place].1.entry(layer).or_default()[part];
        if let Some(first) = *slot {
            let problem =
                format!("`{}` and `{name}` are the same part of a layer", tensors[first].name);
            return Err(Misfit::ambiguous(problem, &[(name, "ignore")]));
        }
        *slot = Some(index);
    }
    Ok(modules)
}

/// Layers of PyTorch's names. Several modules follow one another in the order of their numbers, or of the file.
fn named(tensors: &[&Shaped], mut modules: Vec<(String, Layers)>) -> Result<Stack, Misfit> {
    let without_digits = |name: &str| name.replace(|char: char| char.is_ascii_digit(), "");
    if modules.windows(2).all(|pair| without_digits(&pair[0].0) == without_digits(&pair[1].0)) {
        modules.sort_by_key(|(name, _)| numbers(name));
    }
    let misfit = |problem: String| Misfit::new(Rank::RecurrentLayers, problem);
    let mut layers: Vec<Layer> = Vec::new();
    let (mut input_size, mut hidden_size) = (0, 0);
    for (module, parts) in &modules {
        let name = |part: usize, layer: usize| match module.as_str() {
            "" => format!("{}_l{layer}", PARTS[part]),
            module => format!("{module}.{}_l{layer}", PARTS[part]),
        };
        let has_bias = [2, 3].map(|bias| parts.values().any(|found| found[bias].is_some()));
        for (expected, (&layer, found)) in parts.iter().enumerate() {
            if layer != expected {
                return Err(misfit(format!("`{}` is missing", name(0, expected))));
            }
            let needed = [true, true, has_bias[0], has_bias[1]];
            if let Some(part) = (0..4).find(|&part| needed[part] && found[part].is_none()) {
                return Err(misfit(format!("`{}` is missing", name(part, layer))));
            }
            let [Some(weight_ih), Some(weight_hh), bias_ih, bias_hh] = *found else { continue };
            let (rows, columns) = matrix(tensors[weight_hh]).map_err(misfit)?;
            let (_, inputs) = matrix(tensors[weight_ih]).map_err(misfit)?;
            if layers.is_empty() {
                (input_size, hidden_size) = (inputs, columns);
                cell_of(&tensors[weight_hh].name, rows, columns, None).map_err(misfit)?;
            }
            let gated = tensors[layers.first().map_or(weight_hh, |first| first.weight_hh)].shape[0];
            let above = if layers.is_empty() { input_size } else { hidden_size };
            for (index, shape) in [
                (Some(weight_ih), vec![gated, above]),
                (Some(weight_hh), vec![gated, hidden_size]),
                (bias_ih, vec![gated]),
                (bias_hh, vec![gated]),
            ] {
                let Some(Shaped { name, shape: found, .. }) = index.map(|index| tensors[index])
                else {
                    continue;
                };
                if *found != shape {
                    return Err(misfit(format!(
                        "`{name}` has shape {found:?}, expected {shape:?}"
                    )));
                }
            }
            layers.push(Layer { weight_ih, weight_hh, bias_ih, bias_hh });
        }
    }
    Ok(Stack { layers, input_size, hidden_size })
}

/// The numbers in a name, in their order.
fn numbers(name: &str) -> Vec<u64> {
    let digits = name.split(|char: char| !char.is_ascii_digit());
    digits.filter_map(|digits| digits.parse().ok()).collect()
}

/// Rows and columns of a matrix that isn't empty.
fn matrix(tensor: &Shaped) -> Result<(usize, usize), String> {
    match tensor.shape[..] {
        [rows, columns] if rows > 0 && columns > 0 => Ok((rows, columns)),
        _ => Err(format!("`{}` has shape {:?}, expected a matrix", tensor.name, tensor.shape)),
    }
}

/// The cell whose recurrent weights, of this name, have so many rows.
pub fn cell_of(
    name: &str,
    rows: usize,
    hidden_size: usize,
    asked: Option<Cell>,
) -> Result<Cell, String> {
    let gates = rows / hidden_size;
    let found = match gates {
        _ if !rows.is_multiple_of(hidden_size) => None,
        4 => Some(Cell::Lstm),
        3 => Some(Cell::Gru),
        1 => Some(Cell::Tanh),
        _ => None,
    };
    match (found, asked) {
        (None, _) => Err(format!(
            "`{name}` has shape [{rows}, {hidden_size}], expected [H, H], [3H, H] (GRU) or [4H, H] (LSTM)"
        )),
        (Some(_), Some(asked)) if asked.gates() == gates => Ok(asked),
        (Some(found), None) => Ok(found),
        (Some(found), Some(asked)) => {
            Err(format!("its weights are those of {found} cells, not of {asked} cells"))
        }
    }
}

/// Marks in names of layers that people write themselves: of input weights, and of recurrent ones.
const INPUT_MARKS: [&str; 4] = ["x2h", "i2h", "ih", "xh"];
const RECURRENT_MARKS: [&str; 2] = ["h2h", "hh"];

/// Layers found by their shapes alone: matrices with the same number of rows, in pairs. Their gates are in PyTorch's order, as
/// far as shapes can tell.
fn by_shape(tensors: &[&Shaped], cell: Option<Cell>) -> Result<Vec<Stack>, Misfit> {
    let mut sizes: Vec<(usize, usize)> = Vec::new(); // Rows and hidden size.
    for tensor in tensors {
        let [rows, columns] = tensor.shape[..] else { continue };
        let is_gated =
            columns > 0 && rows.is_multiple_of(columns) && matches!(rows / columns, 1 | 3 | 4);
        let is_asked = cell.is_none_or(|cell| rows == cell.gates() * columns);
        if is_gated && is_asked && !sizes.contains(&(rows, columns)) && sizes.len() < 64 {
            sizes.push((rows, columns));
        }
    }
    let mut stacks = Vec::new();
    for (rows, hidden_size) in sizes {
        let weights: Vec<usize> = (0..tensors.len())
            .filter(|&index| matches!(tensors[index].shape[..], [found, columns] if found == rows && columns > 0))
            .collect();
        let outputs = tensors.iter().filter(|tensor| {
            matches!(tensor.shape[..], [found, columns] if found != rows && columns == hidden_size)
        });
        if weights.len().is_multiple_of(2) && outputs.count() > 0 && weights.len() <= 128 {
            stacks.extend(paired(tensors, &weights, rows, hidden_size)?);
        }
    }
    Ok(stacks)
}

/// The layers of pairs of matrices in the order of the file, if their shapes allow it.
fn paired(
    tensors: &[&Shaped],
    weights: &[usize],
    rows: usize,
    hidden_size: usize,
) -> Result<Option<Stack>, Misfit> {
    let columns = |index: usize| tensors[index].shape[1];
    let marked = |index: usize, marks: &[&str]| {
        let name = tensors[index].name.to_lowercase();
        marks.iter().any(|mark| name.contains(mark))
    };
    let mut layers = Vec::new();
    for (layer, pair) in weights.as_chunks::<2>().0.iter().enumerate() {
        let [a, b] = *pair;
        let fits = |ih: usize, hh: usize| {
            columns(hh) == hidden_size && (layer == 0 || columns(ih) == hidden_size)
        };
        let is_named =
            |ih: usize, hh: usize| marked(ih, &INPUT_MARKS) && marked(hh, &RECURRENT_MARKS);
        let (weight_ih, weight_hh) = match (fits(a, b), fits(b, a)) {
            (true, false) => (a, b),
            (false, true) => (b, a),
            (false, false) => return Ok(None),
            (true, true) => match (is_named(a, b), is_named(b, a)) {
                (true, false) => (a, b),
                (false, true) => (b, a),
                _ => {
                    let [a, b] = [a, b].map(|index| &*tensors[index].name);
                    let problem = format!(
                        "two readings are possible: `{a}` or `{b}` has the recurrent weights of layer {layer}, the other the input weights"
                    );
                    let roles =
                        [format!("rnn.weight_ih_l{layer}"), format!("rnn.weight_hh_l{layer}")];
                    return Err(Misfit::ambiguous(problem, &[(a, &roles[0]), (b, &roles[1])]));
                }
            },
        };
        let module = |index: usize| tensors[index].name.rsplit_once('.').map(|(module, _)| module);
        let bias = |weight: usize| {
            (0..tensors.len())
                .find(|&index| tensors[index].shape == [rows] && module(index) == module(weight))
        };
        let (bias_ih, bias_hh) = (bias(weight_ih), bias(weight_hh));
        // Both in one module have one bias.
        let bias_hh = bias_hh.filter(|_| bias_hh != bias_ih);
        layers.push(Layer { weight_ih, weight_hh, bias_ih, bias_hh });
    }
    let Some(first) = layers.first() else { return Ok(None) };
    Ok(Some(Stack { input_size: columns(first.weight_ih), hidden_size, layers }))
}
