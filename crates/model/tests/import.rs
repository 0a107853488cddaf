//! What `torch.save` wrote becomes a model that predicts as PyTorch does; `pytorch_files/make.py` wrote the files.

use std::path::{Path, PathBuf};

use burn::prelude::*;
use charloom_data::Vocab;
use charloom_model::{
    Bias, Cell, ImportError, ImportOptions, Imported, InputEncoding, NotPyTorch, Readout,
    TensorRole, TrainedModel,
};

/// As in `make.py`.
const TOKENS: [char; 7] = ['o', ' ', 'm', 't', 'é', 'l', '\n'];
const TEXT: &str = "loom toll\nmolt é omolot\n";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/pytorch_files/{name}.pt"))
}

fn tokens() -> Vocab {
    Vocab::from_ordered(TOKENS.to_vec()).unwrap()
}

fn import(name: &str, options: ImportOptions) -> Result<TrainedModel, ImportError> {
    Ok(imported(name, options)?.model)
}

fn imported(name: &str, options: ImportOptions) -> Result<Imported, ImportError> {
    TrainedModel::import(&file(name), options, &Device::flex())
}

fn refused(name: &str) -> String {
    let error = import(name, ImportOptions::default()).unwrap_err();
    error.to_string().replace(&file(name).display().to_string(), "FILE")
}

/// The loss that PyTorch computed.
fn expected(name: &str) -> f64 {
    let lines = include_str!("pytorch_files/expected.txt").lines();
    let found = lines.filter_map(|line| line.split_once(' ')).find(|(found, _)| *found == name);
    found.unwrap_or_else(|| panic!("{name} has no loss")).1.parse().unwrap()
}

/// Mean loss of every character of the text after those before it.
fn loss(model: &TrainedModel) -> f64 {
    let ids: Vec<i32> = model.vocab.encode(TEXT).unwrap().iter().map(|id| id as i32).collect();
    let row = |ids: &[i32]| {
        Tensor::<2, Int>::from_data(TensorData::new(ids.to_vec(), [1, ids.len()]), &Device::flex())
    };
    let (inputs, targets) = (row(&ids[..ids.len() - 1]), row(&ids[1..]));
    let state = model.network.zero_state(1, &Device::flex());
    let (loss, _) = model.network.loss(inputs, targets, state, None);
    f64::from(loss.into_data().iter::<f32>().next().unwrap())
}

#[track_caller]
fn predicts_as_pytorch_does(name: &str, options: ImportOptions) -> TrainedModel {
    let model = import(name, options).unwrap_or_else(|error| panic!("{error}"));
    let (found, expected) = (loss(&model), expected(name));
    assert!((found / expected - 1.0).abs() < 1e-6, "{name}: {found}, PyTorch {expected}");
    assert_eq!(model.vocab, tokens());
    // And so does the file that is made of it.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model.save(&path).unwrap();
    let loaded = TrainedModel::load(&path, &Device::flex()).unwrap();
    assert_eq!(loaded.network.parameters(), model.network.parameters());
    assert_eq!((loaded.config, &loaded.vocab), (model.config, &model.vocab));
    model
}

#[test]
fn a_bare_state_dict_predicts_as_in_pytorch_under_the_vocabulary_that_is_given() {
    let options = ImportOptions { vocab: Some(tokens()), ..ImportOptions::default() };
    let model = predicts_as_pytorch_does("lstm_bare", options);
    assert_eq!((model.config.cell, model.config.layers), (Cell::Lstm, 2));
    assert_eq!((model.config.hidden_size, model.network.vocab_size()), (5, 7));
}

#[test]
fn the_sum_of_the_layers_is_taken_where_it_is_asked_for() {
    let options =
        |readout| ImportOptions { readout, vocab: Some(tokens()), ..ImportOptions::default() };
    let sum = import("lstm_bare", options(Some(Readout::Sum))).unwrap();
    assert_eq!(sum.config.readout, Readout::Sum);
    assert!((loss(&sum) - expected("lstm_bare")).abs() > 1e-3);
    assert_eq!(import("lstm_bare", options(None)).unwrap().config.readout, Readout::Last);
}

#[test]
fn the_exercises_checkpoint_predicts_as_in_pytorch_with_its_own_tokens() {
    predicts_as_pytorch_does("lstm_exercise", ImportOptions::default());
}

#[test]
fn a_gru_with_an_embedding_in_a_wrapper_predicts_as_in_pytorch() {
    let model = predicts_as_pytorch_does("gru_embedding", ImportOptions::default());
    assert_eq!((model.config.cell, model.config.input), (Cell::Gru, InputEncoding::Embedding(3)));
}

#[test]
fn elman_networks_predict_as_in_pytorch() {
    let model = predicts_as_pytorch_does("rnn_tanh", ImportOptions::default());
    assert_eq!((model.config.bias, model.config.layers), (Bias::Without, 1));
    let relu = ImportOptions { cell: Some(Cell::Relu), ..ImportOptions::default() };
    predicts_as_pytorch_does("rnn_relu", relu);
    let taken_for_tanh = import("rnn_relu", ImportOptions::default()).unwrap();
    assert!((loss(&taken_for_tanh) - expected("rnn_relu")).abs() > 1e-3);
}

#[test]
fn a_file_of_an_old_torch_with_double_precision_predicts_as_in_pytorch() {
    predicts_as_pytorch_does("legacy", ImportOptions::default());
}

#[test]
fn half_precision_views_of_one_storage_predict_as_in_pytorch() {
    predicts_as_pytorch_does("half_strided", ImportOptions::default());
}

#[test]
fn a_safetensors_file_with_pytorchs_names_becomes_a_model() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/lstm.safetensors");
    let original = TrainedModel::load(&fixture, &Device::flex()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tuned.safetensors");
    // As `save_file(load_file(…))` in Python leaves it: without metadata.
    let bytes = std::fs::read(&fixture).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let write = |bytes: &[u8]| std::fs::write(&path, bytes).unwrap();
    let bare = safetensors::serialize(tensors.tensors(), None).unwrap();
    write(&bare);
    let load = |vocab: Option<&Vocab>| {
        let options = ImportOptions { vocab: vocab.cloned(), ..ImportOptions::default() };
        TrainedModel::import(&path, options, &Device::flex()).map(|imported| imported.model)
    };
    let model = load(Some(&original.vocab)).unwrap();
    assert_eq!(model.network.parameters(), original.network.parameters());
    assert_eq!(model.config.layers, 2);
    assert!(matches!(load(None), Err(ImportError::NoVocab { needed: 7, .. })));
    // With the metadata of a model file, the vocabulary is known.
    write(&bytes);
    assert_eq!(load(None).unwrap().vocab, original.vocab);
    write(&bare[..bare.len() - 1]);
    let error = load(None).unwrap_err().to_string();
    assert!(error.contains("is not a complete safetensors file"), "{error}");
}

#[test]
fn a_pickle_that_would_run_code_is_read_as_data_and_runs_nothing() {
    // It would run `echo this must never be seen`.
    let model = import("malicious", ImportOptions::default()).unwrap();
    let exercise = import("lstm_exercise", ImportOptions::default()).unwrap();
    assert_eq!(model.network.parameters(), exercise.network.parameters());
}

#[test]
fn a_pickled_module_has_the_weights_of_its_state_dict() {
    let options = ImportOptions { vocab: Some(tokens()), ..ImportOptions::default() };
    let model = import("whole_module", options).unwrap();
    let exercise = import("lstm_exercise", ImportOptions::default()).unwrap();
    assert_eq!(model.network.parameters(), exercise.network.parameters());
}

#[test]
fn an_archive_of_torchscript_predicts_as_in_pytorch() {
    let options = ImportOptions { vocab: Some(tokens()), ..ImportOptions::default() };
    let model = predicts_as_pytorch_does("traced", options);
    assert_eq!((model.config.cell, model.config.input), (Cell::Gru, InputEncoding::Embedding(3)));
}

#[test]
fn a_checkpoint_with_optimizer_states_predicts_as_in_pytorch_with_the_vocabulary_in_its_settings() {
    predicts_as_pytorch_does("lightning", ImportOptions::default());
    let found = imported("lightning", ImportOptions::default()).unwrap();
    assert_eq!(found.vocab_key.as_deref(), Some("hyper_parameters.args.characters"));
    assert_eq!(found.names["fc.bias"], "state_dict.model.fc.bias");
}

#[test]
fn tied_weights_predict_as_in_pytorch() {
    let model = predicts_as_pytorch_does("tied", ImportOptions::default());
    assert_eq!(model.config.input, InputEncoding::Embedding(5));
}

#[test]
fn a_role_chooses_a_tensor_and_one_of_no_tensor_is_refused() {
    let with = |typed: &str| {
        let roles = vec![TensorRole::parse(typed).unwrap()];
        import("tied", ImportOptions { roles, ..ImportOptions::default() })
    };
    assert!(
        with("optimizer=ignore").unwrap_err().to_string().contains("no tensor named `optimizer`")
    );
    let error = with("state_dict.rnn.weight_hh_l1=ignore").unwrap_err().to_string();
    assert!(error.ends_with("`state_dict.rnn.weight_hh_l1` is missing"), "{error}");
    assert!(with("state_dict.decoder=fc").is_ok());
}

#[test]
fn quantized_weights_are_refused_by_their_tensor() {
    let expected = "`FILE`: tensor `state_dict.lstm.weight_hh_l0` holds quantized numbers, which charloom doesn't compute with";
    assert_eq!(refused("quantized"), expected);
}

#[test]
fn a_folder_of_shards_is_read_by_its_index_and_the_vocabulary_beside_it() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/lstm.safetensors");
    let original = TrainedModel::load(&fixture, &Device::flex()).unwrap();
    let bytes = std::fs::read(&fixture).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write =
        |name: &str, content: &[u8]| std::fs::write(folder.path().join(name), content).unwrap();
    let mut map = serde_json::Map::new();
    for (shard, is_in) in [("a.safetensors", true), ("b.safetensors", false)] {
        let part = tensors.tensors().into_iter().filter(|(name, _)| name.ends_with("0") == is_in);
        let part: Vec<_> = part.collect();
        map.extend(part.iter().map(|(name, _)| (name.clone(), shard.into())));
        write(shard, &safetensors::serialize(part, None).unwrap());
    }
    let chars: Vec<String> = original.vocab.chars().iter().map(char::to_string).collect();
    write("vocab.json", serde_json::to_string(&chars).unwrap().as_bytes());
    let import =
        |path: &Path| TrainedModel::import(path, ImportOptions::default(), &Device::flex());
    let error = import(folder.path()).unwrap_err().to_string();
    assert!(error.ends_with("has several files of weights: name one of them"), "{error}");
    let index =
        |map: serde_json::Value| write("model.safetensors.index.json", map.to_string().as_bytes());
    index(serde_json::json!({"metadata": {}, "weight_map": map}));
    let found = import(folder.path()).unwrap();
    assert_eq!(found.model.network.parameters(), original.network.parameters());
    assert_eq!(found.vocab_key.as_deref(), Some("vocab"));
    for (map, problem) in [
        (
            serde_json::json!({"fc.weight": "../a.safetensors"}),
            "lists a file that is not in its folder",
        ),
        (serde_json::json!({"fc.weight": 1}), "has a `weight_map` whose values aren't file names"),
        (serde_json::json!({}), "lists no files, or more than 1,000"),
    ] {
        index(serde_json::json!({"weight_map": map}));
        let error = import(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with(problem), "{error}");
    }
}

#[test]
fn other_networks_are_refused_with_all_their_tensors() {
    for (name, problem) in [
        (
            "bidirectional",
            "`state_dict.lstm.weight_ih_l0_reverse` [20, 7] is of a bidirectional layer, which can't generate text",
        ),
        (
            "projected",
            "`state_dict.lstm.weight_hr_l0` [4, 5] is a projection of an LSTM (`proj_size`), which charloom doesn't support",
        ),
        (
            "batch_norm",
            "`state_dict.norm.weight` [5] is part of a normalisation layer, which charloom's networks don't have",
        ),
        (
            "no_linear",
            "it has no output layer: no matrix [V, 5] maps its 5 hidden units to characters",
        ),
    ] {
        let found = refused(name);
        assert!(
            found.starts_with(&format!("`FILE` is not a character model: {problem}")),
            "{found}"
        );
        let error = import(name, ImportOptions::default()).unwrap_err();
        let ImportError::Layout { tensors, .. } = error else { panic!("{error}") };
        assert!(tensors.to_string().contains("weight_ih_l0` [20, 7]"), "{tensors}");
    }
}

#[test]
fn characters_that_are_missing_or_too_few_are_counted() {
    let expected = "`FILE` does not say which characters its 7 ids stand for";
    assert_eq!(refused("lstm_bare"), expected);
    let expected = "`tokens` in `FILE` has 6 characters, but the network has 7";
    assert_eq!(refused("tokens_short"), expected);
}

#[test]
fn a_file_that_claims_a_giant_network_is_refused_before_one_is_made() {
    let found = refused("repeated");
    assert!(found.ends_with("`hidden_size` must be from 1 to 65536, not 1048576"), "{found}");
}

#[test]
fn a_file_cut_anywhere_or_changed_anywhere_is_refused_or_read_but_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.pt");
    let options = || ImportOptions { vocab: Some(tokens()), ..ImportOptions::default() };
    for name in ["lstm_exercise", "legacy", "gru_embedding"] {
        let bytes = std::fs::read(file(name)).unwrap();
        for length in (0..bytes.len()).step_by(61) {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let error = TrainedModel::import(&path, options(), &Device::flex()).unwrap_err();
            assert!(matches!(error, ImportError::NotPyTorch { .. }), "{length}: {error}");
        }
        for place in (0..bytes.len()).step_by(37) {
            let mut bytes = bytes.clone();
            bytes[place] ^= 0x41;
            std::fs::write(&path, &bytes).unwrap();
            let _ = TrainedModel::import(&path, options(), &Device::flex());
        }
    }
}

#[test]
fn a_damaged_number_is_noticed_by_its_checksum() {
    let mut bytes = std::fs::read(file("lstm_exercise")).unwrap();
    let original = import("lstm_exercise", ImportOptions::default()).unwrap();
    let weights = original.network.parameters();
    let number = weights[0].1.iter::<f32>().next().unwrap().to_le_bytes();
    let place = bytes.windows(4).position(|part| part == number).unwrap();
    bytes[place] ^= 1;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.pt");
    std::fs::write(&path, bytes).unwrap();
    let error = TrainedModel::import(&path, ImportOptions::default(), &Device::flex());
    let message = error.unwrap_err().to_string();
    assert!(message.contains(": Invalid checksum: "), "{message}");
}

#[test]
fn files_of_something_else_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.pt");
    for content in ["", "P", "once upon a time", "{\"a\": 1}"] {
        std::fs::write(&path, content).unwrap();
        let error = TrainedModel::import(&path, ImportOptions::default(), &Device::flex());
        let ImportError::NotPyTorch { source, .. } = error.unwrap_err() else { panic!() };
        assert!(matches!(source, NotPyTorch::Foreign), "{source}");
    }
    std::fs::write(&path, b"\x80\x02}q\x00.").unwrap();
    let error = TrainedModel::import(&path, ImportOptions::default(), &Device::flex());
    let message = error.unwrap_err().to_string();
    assert!(message.ends_with("it is a pickle, but not one of `torch.save`"), "{message}");
    let missing = folder.path().join("none.pt");
    let error = TrainedModel::import(&missing, ImportOptions::default(), &Device::flex());
    assert!(error.unwrap_err().to_string().starts_with("there is no file `"));
}
