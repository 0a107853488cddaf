//! Recognising a network by the names and shapes of its tensors.

use std::collections::HashMap;
use std::path::Path;

use charloom_data::Vocab;

use super::{ImportError, Tensors};
use crate::params::check_shapes;
use crate::{Bias, Cell, CharRnnConfig, Init, InputEncoding};

/// Name and shape of a tensor in the file.
pub type NamedShape = (String, Vec<usize>);

/// The architecture of a network, and the names of its parameters in the file.
#[derive(Debug, PartialEq)]
pub struct Layout {
    pub config: CharRnnConfig,
    pub vocab_size: usize,
    /// Prefix of all names.
    prefix: String,
    rnn: String,
    embed: Option<String>,
    fc: String,
}

/// Names of the recurrent layers, the embedding and the linear layer in a `state_dict`. This and the following lists are
/// all the names that `import` looks for: to recognise another one, add it here.
const RECURRENT: [&str; 3] = ["lstm", "rnn", "gru"];
const EMBEDDING: [&str; 4] = ["embed", "embedding", "encoder", "emb"];
const LINEAR: [&str; 5] = ["fc", "decoder", "linear", "out", "head"];
/// Prefixes that `DataParallel` and `torch.compile` put before all names.
const WRAPPERS: [&str; 2] = ["module.", "_orig_mod."];
/// Keys of a checkpoint's dictionary that hold the `state_dict`.
pub const STATE_DICT: [&str; 3] = ["state_dict", "model_state_dict", "model"];
/// Keys of a checkpoint's dictionary that hold the characters.
pub const VOCABULARY: [&str; 7] =
    ["tokens", "chars", "vocab", "char2int", "int2char", "stoi", "itos"];

impl Layout {
    /// Deduces the architecture. Cells without gates are `cell` if that is given, and tanh otherwise.
    ///
    /// # Errors
    /// If a tensor is missing, isn't part of the network, or has another shape than the others call for.
    pub fn of(tensors: &[NamedShape], cell: Option<Cell>) -> Result<Self, String> {
        if tensors.is_empty() {
            return Err("it has no tensors".into());
        }
        let mut prefix = String::new();
        while let Some(wrapper) = WRAPPERS.into_iter().find(|wrapper| {
            let prefix = format!("{prefix}{wrapper}");
            tensors.iter().all(|(name, _)| name.starts_with(&prefix))
        }) {
            prefix += wrapper;
        }
        let names = Names::new(tensors, &prefix);
        names.refuse_other_networks()?;

        let rnn = names.module(&RECURRENT, "weight_hh_l0", "recurrent layers")?;
        let fc = names.module(&LINEAR, "weight", "linear layer")?;
        let embed = names.module(&EMBEDDING, "weight", "embedding").ok();
        let matrix = |name: String| match names.shape(&name)? {
            &[rows, columns] if rows > 0 && columns > 0 => Ok((rows, columns)),
            shape => Err(format!("`{name}` has shape {shape:?}, expected a matrix")),
        };
        let (rows, hidden_size) = matrix(format!("{rnn}.weight_hh_l0"))?;
        let cell = cell_of(&format!("{rnn}.weight_hh_l0"), rows, hidden_size, cell)?;
        let (vocab_size, _) = matrix(format!("{fc}.weight"))?;
        let input = match &embed {
            None => InputEncoding::OneHot,
            Some(embed) => InputEncoding::Embedding(matrix(format!("{embed}.weight"))?.1),
        };
        let layers = (0..).take_while(|n| names.has(&format!("{rnn}.weight_hh_l{n}"))).count();
        let bias =
            [names.has(&format!("{rnn}.bias_ih_l0")), names.has(&format!("{rnn}.bias_hh_l0"))];
        let bias = match bias {
            [true, true] => Bias::Double,
            [true, false] => Bias::Single,
            [false, false] => Bias::Without,
            [false, true] => return Err(format!("`{rnn}.bias_ih_l0` is missing")),
        };
        // The weights don't determine it, and only training needs it.
        let (dropout, init) = (0.0, Init::PyTorch);
        let config = CharRnnConfig {
            cell,
            input,
            hidden_size,
            layers,
            dropout,
            bias,
            init,
            ..CharRnnConfig::default()
        };
        config.validate().map_err(|error| error.to_string())?;
        let layout = Self { config, vocab_size, prefix, rnn, embed, fc };
        layout.check(tensors)?;
        Ok(layout)
    }

    /// Name of a parameter in the file.
    pub fn name(&self, parameter: &str) -> String {
        let Self { config: _, vocab_size: _, prefix, rnn, embed, fc } = self;
        let (module, rest) = parameter.split_once('.').unwrap_or((parameter, ""));
        let module = match (module, embed) {
            ("rnn", _) => rnn,
            ("embed", Some(embed)) => embed,
            _ => fc,
        };
        format!("{prefix}{module}.{rest}")
    }

    /// Compares the tensors with the parameters of the network.
    fn check(&self, tensors: &[NamedShape]) -> Result<(), String> {
        let mut expected = self.config.parameters(self.vocab_size);
        for spec in &mut expected {
            spec.name = self.name(&spec.name);
        }
        let found = tensors.iter().map(|(name, shape)| (name.as_str(), shape.as_slice()));
        check_shapes(&expected, &found.collect())
            .map_err(|(name, problem)| format!("`{name}` {problem}"))
    }
}

/// The layout of a file's tensors.
pub fn layout(
    path: &Path,
    tensors: Vec<NamedShape>,
    cell: Option<Cell>,
) -> Result<Layout, ImportError> {
    Layout::of(&tensors, cell).map_err(|problem| ImportError::Layout {
        path: path.to_path_buf(),
        problem,
        tensors: Tensors(tensors),
    })
}

/// The vocabulary, if there is one and it has the size of the network's.
pub fn checked_vocab(
    path: &Path,
    vocab: Option<Vocab>,
    needed: usize,
) -> Result<Vocab, ImportError> {
    match vocab {
        None => Err(ImportError::NoVocab { path: path.to_path_buf(), needed }),
        Some(vocab) if vocab.len() == needed => Ok(vocab),
        Some(vocab) => {
            let found = vocab.len();
            Err(ImportError::VocabSize { path: path.to_path_buf(), found, needed })
        }
    }
}

/// The cell whose recurrent weights, of this name, have so many rows.
fn cell_of(
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

/// Shapes of the tensors, by their names without the prefix.
struct Names<'a>(HashMap<&'a str, &'a [usize]>);

impl<'a> Names<'a> {
    fn new(tensors: &'a [NamedShape], prefix: &str) -> Self {
        let stripped = |(name, shape): &'a NamedShape| Some((name.strip_prefix(prefix)?, &**shape));
        Self(tensors.iter().filter_map(stripped).collect())
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn shape(&self, name: &str) -> Result<&'a [usize], String> {
        self.0.get(name).copied().ok_or_else(|| format!("`{name}` is missing"))
    }

    /// The first of the known names that has `parameter`.
    fn module(&self, known: &[&str], parameter: &str, what: &str) -> Result<String, String> {
        let found = known.iter().find(|name| self.has(&format!("{name}.{parameter}")));
        found.map(|name| (*name).to_owned()).ok_or_else(|| {
            let known: Vec<_> = known.iter().map(|name| format!("`{name}.{parameter}`")).collect();
            format!("it has no {what}: expected a tensor {}", known.join(" or "))
        })
    }

    /// Refuses variants of PyTorch's layers that charloom doesn't have.
    fn refuse_other_networks(&self) -> Result<(), String> {
        for (mark, what) in [
            ("_reverse", "it is bidirectional, so it can't generate text"),
            (
                "weight_hr_l",
                "its LSTM has projections (`proj_size`), which charloom doesn't support",
            ),
        ] {
            if self.0.keys().any(|name| name.contains(mark)) {
                return Err(what.to_owned());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(tensors: &[(&str, &[usize])]) -> Vec<NamedShape> {
        tensors.iter().map(|&(name, shape)| (name.to_owned(), shape.to_vec())).collect()
    }

    /// A GRU with an embedding: V, D, H, L = 7, 3, 5, 2.
    fn gru() -> Vec<NamedShape> {
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
    fn sizes_cell_and_input_are_deduced_from_names_and_shapes() {
        let layout = Layout::of(&gru(), None).unwrap();
        let CharRnnConfig { cell, input, hidden_size, layers, bias, .. } = layout.config;
        assert_eq!((layout.vocab_size, hidden_size, layers), (7, 5, 2));
        assert_eq!((cell, input, bias), (Cell::Gru, InputEncoding::Embedding(3), Bias::Double));
        assert_eq!(layout.name("rnn.weight_ih_l1"), "gru.weight_ih_l1");
        assert_eq!(layout.name("embed.weight"), "encoder.weight");
        assert_eq!(layout.name("fc.bias"), "decoder.bias");
    }

    #[test]
    fn a_prefix_of_all_names_is_kept_to_find_them() {
        let prefix: Vec<_> = (gru().into_iter())
            .map(|(name, shape)| (format!("_orig_mod.module.{name}"), shape))
            .collect();
        let layout = Layout::of(&prefix, None).unwrap();
        assert_eq!(layout.name("fc.bias"), "_orig_mod.module.decoder.bias");
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
        let config = |cell| Layout::of(&elman, cell).map(|layout| layout.config);
        let found = config(None).unwrap();
        assert_eq!((found.cell, found.bias), (Cell::Tanh, Bias::Single));
        assert_eq!(config(Some(Cell::Relu)).unwrap().cell, Cell::Relu);
        let error = config(Some(Cell::Gru)).unwrap_err();
        assert_eq!(error, "its weights are those of tanh cells, not of gru cells");
    }

    #[test]
    fn a_tensor_that_is_missing_too_many_or_misshapen_is_named() {
        let without = |name: &str| {
            let kept = gru().into_iter().filter(|(found, _)| found != name).collect::<Vec<_>>();
            Layout::of(&kept, None).unwrap_err()
        };
        assert_eq!(without("gru.bias_hh_l1"), "`gru.bias_hh_l1` is missing");
        assert_eq!(without("gru.bias_ih_l0"), "`gru.bias_ih_l0` is missing");
        assert_eq!(
            without("gru.weight_hh_l1"),
            "`gru.bias_hh_l1` is not a parameter of this network"
        );
        assert_eq!(without("decoder.bias"), "`decoder.bias` is missing");
        assert!(
            without("decoder.weight")
                .starts_with("it has no linear layer: expected a tensor `fc.weight` or")
        );
        assert!(without("gru.weight_hh_l0").starts_with("it has no recurrent layers"));
        // Without its table, the size of an embedding is not a vocabulary size.
        let error = "`gru.weight_ih_l0` has shape [15, 3], expected [15, 7]";
        assert_eq!(without("encoder.weight"), error);
        let mut tensors = gru();
        tensors.push(("norm.running_mean".into(), vec![5]));
        let error = Layout::of(&tensors, None).unwrap_err();
        assert_eq!(error, "`norm.running_mean` is not a parameter of this network");
        let mut tensors = gru();
        tensors[2].1 = vec![25, 5];
        assert!(
            Layout::of(&tensors, None).unwrap_err().contains("has shape [25, 5], expected [H, H]")
        );
        tensors[2].1 = vec![15, 0];
        assert!(Layout::of(&tensors, None).unwrap_err().contains("expected a matrix"));
        assert_eq!(Layout::of(&[], None).unwrap_err(), "it has no tensors");
    }
}
