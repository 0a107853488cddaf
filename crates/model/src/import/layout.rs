//! Recognising a network by the shapes of its tensors, whatever their names.
//!
//! Recurrent layers are found by PyTorch's names under any prefix (`weight_ih_l0`, `weight_hh_l0`) or else by shape. With
//! their input size D and hidden size H, the output layer is a matrix `[V, H]`, and the embedding a matrix `[V, D]`, unless
//! input is one-hot (D = V). Names decide only where shapes allow two readings.

use std::collections::HashMap;

mod recurrent;

use recurrent::Stack;

use super::TensorRole;
use crate::{Bias, Cell, CharRnnConfig, Init, InputEncoding};

/// A tensor, as far as its place in a network depends on it.
#[derive(Clone, Debug)]
pub struct Shaped {
    /// Name in the file, or the one that `--map` gives it.
    pub name: String,
    pub shape: Vec<usize>,
    /// The dictionary, list or module that it lies in.
    pub scope: usize,
    /// Tensors with the same number here are the same numbers, as tied weights are.
    pub view: usize,
}

/// The architecture of a network, and where its parameters come from.
#[derive(Debug, PartialEq)]
pub struct Layout {
    pub config: CharRnnConfig,
    pub vocab_size: usize,
    /// The index of each parameter's tensor, by the parameter's name. A parameter that isn't there is zero.
    pub tensors: HashMap<String, usize>,
}

/// Why tensors aren't those of a network.
#[derive(Debug, PartialEq)]
pub struct Misfit {
    /// How much of a network was found.
    rank: Rank,
    pub problem: String,
    /// What `--map` could be given, if the tensors allow several readings.
    pub choices: Vec<TensorRole>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Nothing,
    RecurrentLayers,
    Network,
    /// What it is is certain, and it can't be read.
    Certain,
}

impl Misfit {
    fn new(rank: Rank, problem: impl Into<String>) -> Self {
        Self { rank, problem: problem.into(), choices: Vec::new() }
    }

    /// Several readings, and what chooses one of them.
    fn ambiguous(problem: String, choices: &[(&str, &str)]) -> Self {
        let choices = choices
            .iter()
            .map(|&(name, role)| TensorRole { name: name.to_owned(), role: role.to_owned() });
        Self { rank: Rank::Certain, problem, choices: choices.collect() }
    }
}

impl Layout {
    /// Deduces the architecture. Cells without gates are `cell` if that is given, and tanh otherwise. `scopes` has for each
    /// scope the one around it.
    ///
    /// # Errors
    /// If no scope holds a network, or several do.
    pub fn of(tensors: &[Shaped], scopes: &[usize], cell: Option<Cell>) -> Result<Self, Misfit> {
        if tensors.is_empty() {
            return Err(Misfit::new(Rank::Nothing, "it has no tensors"));
        }
        let mut members = vec![Vec::new(); scopes.len()];
        for (index, tensor) in tensors.iter().enumerate() {
            let mut scope = tensor.scope;
            members[scope].push(index);
            while scope != scopes[scope] {
                scope = scopes[scope];
                members[scope].push(index);
            }
        }
        let mut found: Option<Self> = None;
        let mut misfit: Option<Misfit> = None;
        // A scope that holds a network within it is no network of its own. Inner scopes come after outer ones.
        let mut holds_network = vec![false; scopes.len()];
        for scope in (0..scopes.len()).rev() {
            if !holds_network[scope] && !members[scope].is_empty() {
                match read(tensors, &members[scope], cell) {
                    Ok(network) => {
                        if let Some(first) = &found {
                            return Err(two_networks(tensors, first, &network));
                        }
                        holds_network[scope] = true;
                        found = Some(network);
                    }
                    Err(other) if misfit.as_ref().is_none_or(|first| first.rank < other.rank) => {
                        misfit = Some(other);
                    }
                    Err(_) => {}
                }
            }
            holds_network[scopes[scope]] |= holds_network[scope];
        }
        let none = || Misfit::new(Rank::Nothing, "it has no tensors");
        found.ok_or_else(|| misfit.unwrap_or_else(none))
    }
}

/// The error of a file with two networks.
fn two_networks(tensors: &[Shaped], a: &Layout, b: &Layout) -> Misfit {
    let name = |layout: &Layout| &*tensors[layout.tensors["rnn.weight_ih_l0"]].name;
    // Scopes are read from the last one on.
    let [a, b] = [name(b), name(a)];
    // What the names have in common ends at a dot.
    let own = a.split('.').rev().zip(b.split('.').rev()).take_while(|(a, b)| a == b);
    let common: usize = own.map(|(part, _)| part.len() + 1).sum();
    let shortest =
        |name: &str| name.get(..name.len().saturating_sub(common)).unwrap_or("").to_owned();
    let problem =
        format!("it holds more than one network: `{a}` and `{b}` are layers of different ones");
    let ignored = match shortest(b) {
        prefix if prefix.is_empty() => b.to_owned(),
        prefix => prefix,
    };
    Misfit::ambiguous(problem, &[(&ignored, "ignore")])
}

/// Reads the tensors of these indices as a network.
fn read(all: &[Shaped], members: &[usize], cell: Option<Cell>) -> Result<Layout, Misfit> {
    let tensors: Vec<&Shaped> = members.iter().map(|&index| &all[index]).collect();
    let stacks = recurrent::stacks(&tensors, cell)?;
    let mut networks = Vec::new();
    let mut misfit = None;
    for stack in &stacks {
        match Network::of(stack, &tensors) {
            Ok(network) => networks.push((stack, network)),
            Err(other) => misfit = misfit.or(Some(other)),
        }
    }
    match (networks.as_slice(), misfit) {
        ([(stack, network)], _) => layout(stack, network, &tensors, members, cell),
        ([], Some(misfit)) => Err(misfit),
        ([], None) => Err(recurrent::none(&tensors)),
        ([(a, _), (b, _), ..], _) => {
            let hh = |stack: &Stack| &tensors[stack.layers[0].weight_hh];
            let (name, rows) = (&hh(a).name, hh(a).shape[0]);
            let problem = format!(
                "two readings are possible: H is {} or {}, as far as the {rows} rows of `{name}` tell",
                a.hidden_size, b.hidden_size
            );
            Err(Misfit::ambiguous(problem, &[(name, "rnn.weight_hh_l0")]))
        }
    }
}

/// Where the parameters outside the recurrent layers are, as indices of a scope's tensors.
#[derive(Clone, Copy, Debug)]
struct Network {
    embed: Option<usize>,
    fc_weight: usize,
    fc_bias: Option<usize>,
}

/// Largest number of tensors beside the recurrent layers of which every reading is tried.
const MAX_OTHERS: usize = 12;

impl Network {
    /// The output layer and the embedding that go with recurrent layers.
    fn of(stack: &Stack, tensors: &[&Shaped]) -> Result<Self, Misfit> {
        let Stack { input_size: d, hidden_size: h, .. } = *stack;
        // A number of its own, such as a loss, is no layer.
        let others: Vec<usize> = (0..tensors.len())
            .filter(|&index| !stack.has(index) && !tensors[index].shape.is_empty())
            .collect();
        let matrices = |columns: usize| {
            let fits = move |&index: &usize| matches!(tensors[index].shape[..], [rows, found] if rows > 0 && found == columns);
            others.iter().copied().filter(fits)
        };
        let mut readings = Vec::new();
        if others.len() <= MAX_OTHERS {
            for fc_weight in matrices(h).filter(|&index| may_be(tensors[index], "fc.weight")) {
                let v = tensors[fc_weight].shape[0];
                let tables = matrices(d).filter(|&index| {
                    index != fc_weight
                        && tensors[index].shape[0] == v
                        && may_be(tensors[index], "embed.weight")
                });
                let mut embeds: Vec<_> = tables.map(Some).collect();
                // The output layer's weights may be the embedding's.
                if d == h && d != v {
                    embeds.push(Some(fc_weight));
                }
                if d == v {
                    embeds.push(None);
                }
                let fc_bias = bias(tensors, &others, fc_weight);
                readings.extend(embeds.into_iter().map(|embed| Self { embed, fc_weight, fc_bias }));
            }
        }
        let extra = |reading: &Self| {
            let used = [reading.embed, Some(reading.fc_weight), reading.fc_bias];
            others.iter().copied().find(|&index| !used.contains(&Some(index)))
        };
        let complete: Vec<Self> =
            readings.iter().copied().filter(|reading| extra(reading).is_none()).collect();
        let best = complete.iter().map(|reading| reading.evidence(tensors)).max();
        let mut likely = complete.iter().filter(|reading| Some(reading.evidence(tensors)) == best);
        match (likely.next(), likely.next()) {
            (Some(only), None) => Ok(*only),
            // Tied weights are both.
            (Some(a), Some(b)) if tensors[a.fc_weight].view == tensors[b.fc_weight].view => Ok(*a),
            (Some(a), Some(b)) => Err(Self::ambiguous(a, b, tensors)),
            (None, _) => {
                let problem = match readings.first().and_then(extra) {
                    Some(extra) => {
                        let Shaped { name, shape, .. } = tensors[extra];
                        let what = recurrent::layer_kind(name);
                        format!(
                            "`{name}` {shape:?} is {what}, which charloom's networks don't have"
                        )
                    }
                    None => no_output(tensors, &others, d, h),
                };
                Err(Misfit::new(Rank::Network, problem))
            }
        }
    }

    /// How much speaks for a reading that the shapes allow: an output layer has a bias of its own, an embedding has none,
    /// and names say something, too.
    fn evidence(&self, tensors: &[&Shaped]) -> usize {
        let named = |index: usize, marks: &[&str]| {
            let name = tensors[index].name.to_lowercase();
            usize::from(marks.iter().any(|mark| name.contains(mark)))
        };
        let module = |index: usize| tensors[index].name.rsplit_once('.').map(|(module, _)| module);
        let has_own_bias = self.fc_bias.is_some_and(|bias| module(bias) == module(self.fc_weight));
        let embed = self.embed.map_or(0, |embed| named(embed, &["emb", "enc", "wte", "lookup"]));
        let fc = named(self.fc_weight, &["dec", "out", "fc", "linear", "head", "proj", "dense"]);
        4 * usize::from(has_own_bias) + embed + fc
    }

    /// The error of two readings for which equally much speaks.
    fn ambiguous(a: &Self, b: &Self, tensors: &[&Shaped]) -> Misfit {
        let [first, second] = [a, b].map(|reading| &*tensors[reading.fc_weight].name);
        let problem = format!(
            "two readings are possible: `{first}` or `{second}` is the output layer, the other the embedding"
        );
        Misfit::ambiguous(problem, &[(first, "fc.weight")])
    }
}

/// Whether `--map` leaves it open that a tensor is this parameter.
fn may_be(tensor: &Shaped, parameter: &str) -> bool {
    let mapped = ["fc.weight", "fc.bias", "embed.weight"];
    !mapped.contains(&&*tensor.name) || tensor.name == parameter
}

/// The bias of an output layer: the one in the same module, or else the only other vector of this size.
fn bias(tensors: &[&Shaped], others: &[usize], weight: usize) -> Option<usize> {
    let fits = |&index: &usize| tensors[index].shape == tensors[weight].shape[..1];
    let module = |index: usize| tensors[index].name.rsplit_once('.').map(|(module, _)| module);
    let mut vectors = others.iter().copied().filter(fits);
    let own = vectors.clone().find(|&index| module(index) == module(weight));
    own.or_else(|| vectors.next().filter(|_| vectors.next().is_none()))
}

/// What is missing around recurrent layers with input size D and hidden size H.
fn no_output(tensors: &[&Shaped], others: &[usize], d: usize, h: usize) -> String {
    let strange = others
        .iter()
        .map(|&index| tensors[index])
        .find(|tensor| recurrent::layer_kind(&tensor.name) != recurrent::OTHER_LAYER);
    let output = others
        .iter()
        .map(|&index| tensors[index])
        .find(|tensor| matches!(tensor.shape[..], [_, columns] if columns == h));
    match (strange, output) {
        (Some(Shaped { name, shape, .. }), _) => {
            let what = recurrent::layer_kind(name);
            format!("`{name}` {shape:?} is {what}, which charloom's networks don't have")
        }
        (None, Some(Shaped { name, shape, .. })) => {
            let v = shape[0];
            format!(
                "`{name}` {shape:?} would be an output layer of {v} characters, but the layers' input of {d} is neither \
                 one-hot of {v} nor from an embedding [{v}, {d}]"
            )
        }
        (None, None) => match others.iter().find(|&&index| tensors[index].shape.len() == 2) {
            Some(&index) => {
                let Shaped { name, shape, .. } = tensors[index];
                format!(
                    "no matrix [V, {h}] maps its {h} hidden units to characters: `{name}` is {shape:?}"
                )
            }
            None => format!(
                "it has no output layer: no matrix [V, {h}] maps its {h} hidden units to characters"
            ),
        },
    }
}

/// The layout of a network, whose parts are indices of `tensors`, and those of `members`.
fn layout(
    stack: &Stack,
    network: &Network,
    tensors: &[&Shaped],
    members: &[usize],
    asked: Option<Cell>,
) -> Result<Layout, Misfit> {
    let vocab_size = tensors[network.fc_weight].shape[0];
    let hh = &tensors[stack.layers[0].weight_hh];
    let input = match network.embed {
        None => InputEncoding::OneHot,
        Some(_) => InputEncoding::Embedding(stack.input_size),
    };
    let has = |bias: fn(&recurrent::Layer) -> Option<usize>| {
        stack.layers.iter().any(|layer| bias(layer).is_some())
    };
    let bias = match (has(|layer| layer.bias_ih), has(|layer| layer.bias_hh)) {
        (_, true) => Bias::Double,
        (true, false) => Bias::Single,
        (false, false) => Bias::Without,
    };
    let config = CharRnnConfig {
        cell: recurrent::cell_of(&hh.name, hh.shape[0], stack.hidden_size, asked)
            .map_err(|problem| Misfit::new(Rank::Network, problem))?,
        input,
        hidden_size: stack.hidden_size,
        layers: stack.layers.len(),
        bias,
        // The weights don't determine it, and only training needs it.
        dropout: 0.0,
        init: Init::PyTorch,
        ..CharRnnConfig::default()
    };
    config.validate().map_err(|error| Misfit::new(Rank::Network, error.to_string()))?;

    let mut found = HashMap::new();
    let mut put = |name: String, index: Option<usize>| {
        if let Some(index) = index {
            found.insert(name, members[index]);
        }
    };
    put("embed.weight".into(), network.embed);
    for (layer, tensors) in stack.layers.iter().enumerate() {
        put(format!("rnn.weight_ih_l{layer}"), Some(tensors.weight_ih));
        put(format!("rnn.weight_hh_l{layer}"), Some(tensors.weight_hh));
        put(format!("rnn.bias_ih_l{layer}"), tensors.bias_ih);
        put(format!("rnn.bias_hh_l{layer}"), tensors.bias_hh);
    }
    put("fc.weight".into(), Some(network.fc_weight));
    put("fc.bias".into(), network.fc_bias);
    Ok(Layout { config, vocab_size, tensors: found })
}

#[cfg(test)]
mod tests;
