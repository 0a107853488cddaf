//! A file of any bytes becomes a model or is refused.
#![no_main]

use burn::tensor::Device;
use charloom_fuzz::with_file;
use charloom_model::{ImportOptions, TrainedModel};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    with_file(content, |path| {
        drop(TrainedModel::import(path, ImportOptions::default(), &Device::flex()));
    });
});
