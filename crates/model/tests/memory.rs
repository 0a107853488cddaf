//! Files that claim to hold far more than they do are refused without the memory that they claim.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use burn::prelude::*;
use charloom_model::TrainedModel;
use serde_json::json;

/// Fails if this process has ever used more than 100 MB.
#[track_caller]
fn used_little_memory() {
    // Other systems don't tell.
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return };
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: usize = peak.trim().strip_suffix(" kB").unwrap().parse().unwrap();
    assert!(kilobytes < 100_000, "peak memory {kilobytes} kB");
}

/// Writes a model file for the characters a and b, with H = 65,536. Tensors have names, shapes and first bytes.
fn write_model(path: &Path, tensors: &[(&str, &[u64], u64)], len: u64) {
    let config = json!({
        "vocab_size": 2, "cell": "lstm", "embedding": null, "hidden_size": 65536, "layers": 1,
        "dropout": 0.0, "bias": "double",
    });
    let mut header = json!({"__metadata__": {
        "charloom.format_version": "1",
        "charloom.config": config.to_string(),
        "charloom.vocab": "\"ab\"",
        "charloom.summary": "{}",
    }});
    for &(name, shape, start) in tensors {
        let end = start + 4 * shape.iter().product::<u64>();
        header[name] = json!({"dtype": "F32", "shape": shape, "data_offsets": [start, end]});
    }
    let header = header.to_string();
    let mut file = File::create(path).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    // The zeros take no room on a disk.
    file.set_len(8 + header.len() as u64 + len).unwrap();
}

#[track_caller]
fn refused(path: &Path, expected: &str) {
    let error = TrainedModel::load(path, &Device::flex()).unwrap_err().to_string();
    assert_eq!(error.replace(&path.display().to_string(), "FILE"), expected);
    used_little_memory();
}

const H: u64 = 65_536;

#[test]
fn a_model_file_without_the_tensors_of_its_giant_network_is_refused_by_the_first_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("giant.safetensors");
    let end = 4 * 2 * H;
    let tensors: [(&str, &[u64], _); 2] =
        [("fc.weight", &[2, H], 0), ("rnn.weight_hh_l0", &[1], end)];
    write_model(&path, &tensors, end + 4);
    refused(&path, "`FILE`: tensor `rnn.weight_ih_l0` is missing");
}

#[test]
fn a_model_file_that_is_shorter_than_its_tensors_is_refused_before_they_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("short.safetensors");
    let tensors: [(&str, &[u64], _); 6] = [
        ("rnn.weight_ih_l0", &[4 * H, 2], 0),
        ("rnn.weight_hh_l0", &[4 * H, H], 32 * H),
        ("rnn.bias_ih_l0", &[4 * H], 32 * H + 16 * H * H),
        ("rnn.bias_hh_l0", &[4 * H], 48 * H + 16 * H * H),
        ("fc.weight", &[2, H], 64 * H + 16 * H * H),
        ("fc.bias", &[2], 72 * H + 16 * H * H),
    ];
    write_model(&path, &tensors, 40 * H);
    let expected = "`FILE` is truncated or not a safetensors file: incomplete metadata, file not fully covered";
    refused(&path, expected);
}

#[test]
fn a_long_file_with_a_tensor_too_many_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.safetensors");
    write_model(&path, &[("fc.weight", &[1 << 32], 0)], 1 << 34);
    refused(&path, "`FILE`: tensor `rnn.weight_ih_l0` is missing");
}
