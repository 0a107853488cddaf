use super::*;

#[cfg(feature = "download")]
mod http;

const TEXT: &str = "hello world";
const SHA256: &str = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";

fn descriptor(address: &str) -> DatasetDescriptor {
    DatasetDescriptor {
        name: "hello".to_owned(),
        title: "Hello".to_owned(),
        address: address.to_owned(),
        file: "hello.txt".to_owned(),
        bytes: 11,
        sha256: SHA256.to_owned(),
        licence: "public domain".to_owned(),
        about: "The sum is the one that every tutorial shows.".to_owned(),
    }
}

#[test]
fn a_copy_on_disk_is_taken_if_it_is_the_text() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    let dest = folder.path().join("new folder/hello.txt");
    let hello = descriptor("https://example.org/");
    std::fs::write(&copy, TEXT).unwrap();
    hello.copy_from(&copy, &dest).unwrap();
    hello.verify(&dest).unwrap();

    std::fs::write(&copy, "hello w0rld").unwrap();
    let error = hello.copy_from(&copy, &dest).unwrap_err();
    let DownloadError::OtherText { mismatch, .. } = &error else { panic!("{error}") };
    assert!(matches!(mismatch, Mismatch::Checksum { expected, .. } if expected == SHA256));
    hello.verify(&dest).unwrap();
    hello.verify(&copy).unwrap_err();
}

#[test]
fn a_copy_that_is_missing_is_named() {
    let hello = descriptor("https://example.org/");
    let error = hello.copy_from("no/such/copy", "unused").unwrap_err();
    assert_eq!(error.to_string(), "could not read `no/such/copy`");
    assert!(!Path::new("unused").exists());
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    std::fs::write(&copy, TEXT).unwrap();
    // Below a file there can be no file, not even for root.
    let error =
        descriptor("https://example.org/").copy_from(&copy, copy.join("hello.txt")).unwrap_err();
    assert!(matches!(error, DownloadError::Unwritable { .. }), "{error}");
}
