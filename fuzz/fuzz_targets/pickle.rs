//! A PyTorch file whose pickle is of any bytes becomes a model or is refused. Its storages are all of 1,024 zeros.
#![no_main]

use std::io::{Cursor, Write};

use burn::tensor::Device;
use charloom_fuzz::with_file;
use charloom_model::{ImportOptions, TrainedModel};
use libfuzzer_sys::fuzz_target;
use rawzip::ZipArchiveWriter;

fuzz_target!(|pickle: &[u8]| {
    let mut zip = ZipArchiveWriter::new(Cursor::new(Vec::new()));
    let storages = (0..12).map(|key| (format!("archive/data/{key}"), vec![0; 4096]));
    let pickle = [("archive/data.pkl".to_owned(), pickle.to_vec())];
    for (name, content) in pickle.into_iter().chain(storages) {
        let (mut entry, config) = zip.new_file(&*name).start().expect("an entry");
        let mut writer = config.wrap(&mut entry);
        writer.write_all(&content).expect("memory takes it");
        let (_, descriptor) = writer.finish().expect("memory takes it");
        entry.finish(descriptor).expect("memory takes it");
    }
    let file = zip.finish().expect("memory takes it").into_inner();
    with_file(&file, |path| {
        drop(TrainedModel::import(path, ImportOptions::default(), &Device::flex()));
    });
});
