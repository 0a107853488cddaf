//! The examples do what they say.

use burn::tensor::Device;

#[allow(dead_code, reason = "its main function")]
#[path = "../examples/generate.rs"]
mod generate;
#[allow(dead_code, reason = "the unit tests use all of them")]
#[path = "../src/test_models.rs"]
mod test_models;

#[test]
fn the_generate_example_continues_a_prompt_with_a_model_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    test_models::random("\n abcdefg", &Device::flex()).save(&path).unwrap();
    let text = generate::continuation(&path, "a bad").unwrap();
    assert_eq!(text.chars().count(), 200);
    assert_eq!(text, generate::continuation(&path, "a bad").unwrap());

    let unknown = generate::continuation(&path, "x").unwrap_err().to_string();
    assert_eq!(unknown, "cannot start from the prompt: character not in the vocabulary: `x`");
    assert!(generate::continuation(&folder.path().join("none"), "").is_err());
}
