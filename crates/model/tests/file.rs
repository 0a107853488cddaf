//! The model file: what goes in comes out, and what is broken is refused with a reason.

mod goldens;

use std::path::PathBuf;

use burn::prelude::*;
use charloom_data::Vocab;
use charloom_model::{
    Bias, Cell, CharRnnConfig, ImportOptions, InputEncoding, Readout, TrainedModel, TrainingSummary,
};
use goldens::Golden;
use rand::SeedableRng;

fn model() -> TrainedModel {
    let config = goldens::config(Cell::Lstm, InputEncoding::OneHot);
    TrainedModel {
        network: goldens::network(&Golden::open("char_lstm"), config, &Device::flex()),
        config,
        vocab: Vocab::from_text("ab\n\"\\é{}😀x "),
        summary: TrainingSummary { epoch: 3, valid_loss: Some(1.25), ..TrainingSummary::default() },
    }
}

struct Written {
    _folder: tempfile::TempDir,
    path: PathBuf,
    bytes: Vec<u8>,
}

fn written(model: &TrainedModel) -> Written {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model.save(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    Written { _folder: folder, path, bytes }
}

impl Written {
    fn error_with(&self, bytes: &[u8]) -> String {
        std::fs::write(&self.path, bytes).unwrap();
        let error = TrainedModel::load(&self.path, &Device::flex()).unwrap_err().to_string();
        assert!(error.contains("model.safetensors"), "names the file: {error}");
        error
    }

    /// The error after a change in the header's text.
    fn error_after(&self, from: &str, to: &str) -> String {
        let length = u64::from_le_bytes(self.bytes[..8].try_into().unwrap()) as usize;
        let header = std::str::from_utf8(&self.bytes[8..8 + length]).unwrap().trim_end();
        assert!(header.contains(from), "{from} is not in {header}");
        let header = header.replace(from, to);
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(&self.bytes[8 + length..]);
        self.error_with(&bytes)
    }
}

#[test]
fn a_model_comes_back_from_its_file_as_it_was() {
    for (cell, input, bias) in [
        (Cell::Lstm, InputEncoding::OneHot, Bias::Double),
        (Cell::Gru, InputEncoding::Embedding(5), Bias::Single),
        (Cell::Relu, InputEncoding::OneHot, Bias::Without),
    ] {
        let config = CharRnnConfig { bias, dropout: 0.25, ..goldens::config(cell, input) };
        let rng = &mut rand_chacha::ChaCha8Rng::seed_from_u64(5);
        let network = config.init(11, &Device::flex(), rng);
        let model = TrainedModel { network, config, ..model() };
        let file = written(&model);
        let loaded = TrainedModel::load(&file.path, &Device::flex()).unwrap();
        assert_eq!(loaded.network.parameters(), model.network.parameters());
        assert_eq!(loaded.config, config);
        assert_eq!((loaded.vocab, loaded.summary), (model.vocab, model.summary));
    }
}

#[test]
fn a_file_says_that_the_outputs_are_summed_and_nothing_where_they_are_not() {
    let last = model();
    let config = CharRnnConfig { readout: Readout::Sum, ..last.config };
    let network = goldens::network(&Golden::open("char_lstm"), config, &Device::flex());
    let sum = TrainedModel { network, config, ..last.clone() };
    let [of_last, of_sum] = [written(&last), written(&sum)];
    let says = |file: &Written| String::from_utf8_lossy(&file.bytes).contains("readout");
    assert_eq!((says(&of_last), says(&of_sum)), (false, true));
    let loss = |model: &TrainedModel| {
        let ids = Tensor::<2, Int>::from_ints([[1, 2, 3], [10, 0, 5]], &Device::flex());
        let state = model.network.zero_state(2, &Device::flex());
        model.network.loss(ids.clone(), ids, state, None).0.into_scalar::<f32>()
    };
    assert_ne!(loss(&last), loss(&sum));
    for (file, model) in [(&of_last, &last), (&of_sum, &sum)] {
        let loaded = TrainedModel::load(&file.path, &Device::flex()).unwrap();
        assert_eq!((loaded.config.readout, loss(&loaded)), (model.config.readout, loss(model)));
        // So it is when the file is imported.
        let options = ImportOptions::default();
        let imported = TrainedModel::import(&file.path, options, &Device::flex()).unwrap();
        assert_eq!(loss(&imported.model), loss(model));
    }
}

#[test]
fn the_same_model_is_always_the_same_bytes() {
    let model = model();
    let first = written(&model).bytes;
    for _ in 0..5 {
        assert!(written(&model).bytes == first, "the header's order changed");
    }
}

#[test]
fn the_tensors_have_pytorchs_names_and_shapes() {
    let file = written(&model());
    let tensors = safetensors::SafeTensors::deserialize(&file.bytes).unwrap();
    let mut names = tensors.names();
    names.sort();
    assert_eq!(
        names,
        [
            "fc.bias",
            "fc.weight",
            "rnn.bias_hh_l0",
            "rnn.bias_hh_l1",
            "rnn.bias_ih_l0",
            "rnn.bias_ih_l1",
            "rnn.weight_hh_l0",
            "rnn.weight_hh_l1",
            "rnn.weight_ih_l0",
            "rnn.weight_ih_l1",
        ]
    );
    assert_eq!(tensors.tensor("rnn.weight_ih_l0").unwrap().shape(), [24, 11]);
    assert_eq!(tensors.tensor("rnn.weight_ih_l1").unwrap().shape(), [24, 6]);
    assert_eq!(tensors.tensor("fc.weight").unwrap().shape(), [11, 6]);
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let file = written(&model());
    for length in (0..file.bytes.len()).step_by(97) {
        file.error_with(&file.bytes[..length]);
    }
}

#[test]
fn files_of_something_else_are_refused() {
    let file = written(&model());
    assert!(
        file.error_with(b"hello, world, this is a text")
            .contains("is truncated or not a safetensors")
    );
    let golden = std::fs::read("tests/goldens/char_lstm.safetensors").unwrap();
    assert!(file.error_with(&golden).contains("not a charloom model"));
    let error = TrainedModel::load(&file.path.with_file_name("none"), &Device::flex());
    assert!(error.unwrap_err().to_string().starts_with("there is no model at"));
}

#[test]
fn a_file_of_another_version_is_refused_with_its_version() {
    let file = written(&model());
    let error = file.error_after(r#"format_version":"1""#, r#"format_version":"2""#);
    assert!(
        error.contains("format version `2`, but this program reads versions up to 1"),
        "{error}"
    );
}

#[test]
fn a_missing_an_extra_and_a_misshapen_tensor_are_named() {
    let file = written(&model());
    let error = file.error_after("rnn.bias_ih_l1", "rnn.bias_xx_l1");
    assert!(error.ends_with("tensor `rnn.bias_ih_l1` is missing"), "{error}");
    let error = file.error_after(r#"\"layers\":2"#, r#"\"layers\":1"#);
    assert!(error.contains("_l1` is not a parameter of this network"), "{error}");
    let error = file.error_after(r#""shape":[24,11]"#, r#""shape":[11,24]"#);
    let expected = "tensor `rnn.weight_ih_l0` has shape [11, 24], expected [24, 11]";
    assert!(error.ends_with(expected), "{error}");
}

#[test]
fn broken_metadata_is_refused_without_building_a_network_of_that_size() {
    let file = written(&model());
    let cases = [
        (
            r#"\"hidden_size\":6"#,
            r#"\"hidden_size\":65536"#,
            "`rnn.weight_ih_l0` has shape [24, 11], expected [262144, 11]",
        ),
        (
            r#"\"hidden_size\":6"#,
            r#"\"hidden_size\":0"#,
            "`hidden_size` must be from 1 to 65536, not 0",
        ),
        (r#"\"cell\":\"lstm\""#, r#"\"cell\":\"what\""#, "unknown variant `what`"),
        (
            r#"\"dropout\":0.0"#,
            r#"\"dropout\":1.0"#,
            "`dropout` must be at least 0 and less than 1, not 1",
        ),
        (r#"\"layers\":2"#, r#"\"layers\":64"#, "`rnn.weight_ih_l2` is missing"),
        ("charloom.vocab", "charloom.vocap", "has no `charloom.vocab`"),
        (r#"é"#, "", "has 10 characters, but the network has 11"),
    ];
    for (from, to, expected) in cases {
        let error = file.error_after(from, to);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn writing_over_a_model_keeps_it_when_the_folder_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let below_a_file = folder.path().join("file");
    std::fs::write(&below_a_file, "").unwrap();
    let error = model().save(&below_a_file.join("model.safetensors")).unwrap_err().to_string();
    assert!(error.starts_with("cannot write the model file"), "{error}");
}
