//! Files that claim to hold far more than they do are refused without the memory that they claim.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use burn::prelude::*;
use charloom_model::{ImportOptions, TrainedModel};
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

/// Writes a file as `torch.save` does, with this pickle and one storage of these many bytes.
fn write_checkpoint(path: &Path, pickle: &[u8], storage: usize) {
    let mut zip = rawzip::ZipArchiveWriter::new(File::create(path).unwrap());
    for (name, content) in [("archive/data.pkl", pickle), ("archive/data/0", &vec![0; storage])] {
        let (mut entry, config) = zip.new_file(name).start().unwrap();
        let mut writer = config.wrap(&mut entry);
        writer.write_all(content).unwrap();
        let (_, descriptor) = writer.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    zip.finish().unwrap();
}

#[track_caller]
fn import_refused(pickle: &[u8], storage: usize, expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.pth");
    write_checkpoint(&path, pickle, storage);
    let error = TrainedModel::import(&path, ImportOptions::default(), &Device::flex());
    let error = error.unwrap_err().to_string();
    assert_eq!(error.replace(&path.display().to_string(), "FILE"), expected);
    used_little_memory();
}

/// Pushes a string.
fn text(text: &[u8]) -> Vec<u8> {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text].concat()
}

/// Pushes the persistent id of a storage of single-precision numbers.
fn persistent_id(key: &[u8]) -> Vec<u8> {
    let class = b"ctorch\nFloatStorage\n".to_vec();
    [b"(".to_vec(), text(b"storage"), class, text(key), text(b"cpu"), b"K\x01t".to_vec()].concat()
}

#[test]
fn a_pickle_that_references_a_storage_with_a_long_key_again_and_again_takes_no_memory() {
    let mut pickle = b"\x80\x02".to_vec();
    pickle.extend(persistent_id(&[b'k'; 100_000]));
    pickle.extend(b"q\x000");
    pickle.extend(b"h\x00Q0".repeat(100_000));
    pickle.extend(b"N.");
    let expected = "`FILE` is not a complete `torch.save` file: the name of a storage is longer than 500 bytes";
    import_refused(&pickle, 0, expected);
}

#[test]
fn a_checkpoint_whose_tensors_all_share_one_storage_is_refused_by_their_total_size() {
    // An Elman network with 64 layers of 256 units, of which each matrix is the same 256 KiB.
    let mut pickle = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nq\x000".to_vec();
    pickle.extend(persistent_id(b"0"));
    pickle.extend(b"Qq\x010}(");
    let mut tensor = |name: String, columns: bool| {
        pickle.extend(text(name.as_bytes()));
        pickle.extend(b"h\x00(h\x01K\x00");
        match columns {
            true => pickle.extend(b"M\x00\x01M\x00\x01\x86M\x00\x01K\x01\x86"),
            false => pickle.extend(b"M\x00\x01\x85K\x01\x85"),
        }
        pickle.extend(b"tR");
    };
    for layer in 0..64 {
        tensor(format!("rnn.weight_ih_l{layer}"), true);
        tensor(format!("rnn.weight_hh_l{layer}"), true);
    }
    tensor("fc.weight".into(), true);
    tensor("fc.bias".into(), false);
    pickle.extend(text(b"tokens"));
    let tokens: String = ('Ā'..).take(256).collect();
    pickle.extend(text(tokens.as_bytes()));
    pickle.extend(b"u.");
    let expected = "`FILE`: tensor `rnn.weight_ih_l32` and those before it have more values than the file can hold";
    import_refused(&pickle, 256 << 10, expected);
}
