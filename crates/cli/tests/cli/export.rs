//! `charloom export`: the weights open in PyTorch and NumPy, and come back as they were.

use std::path::Path;
use std::process::Command;

use crate::world::World;

/// A world with a model of one bias in each layer, and of embeddings.
fn world() -> World {
    let world = World::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/fixtures");
    for name in ["gru_embedding.safetensors", "lstm.safetensors"] {
        world.write(name, std::fs::read(folder.join(name)).unwrap());
    }
    world.write("text.txt", "fade abed cab dab bead face ace bad\n".replace([' ', '\n'], "a"));
    world
}

/// The loss of a model on the text.
fn loss(world: &World, model: &str) -> String {
    let out = world.run(&format!("eval --model {model} --text text.txt")).succeeds().out;
    out.lines().find(|line| line.starts_with("loss")).unwrap().to_owned()
}

#[test]
fn exported_weights_are_imported_as_the_same_model() {
    let world = world();
    for (to, file) in
        [("pytorch", "gru_embedding.pt"), ("safetensors", "gru_embedding.weights.safetensors")]
    {
        let ran = world.run(&format!("export gru_embedding.safetensors --to {to}")).succeeds();
        let back =
            ran.err.lines().find_map(|line| line.strip_prefix("to read them back:  charloom "));
        let back = back.unwrap().replace("FILE", &format!("{to}.safetensors"));
        assert!(back.starts_with(&format!("import {file} ")), "{back}");
        world.run(&back).succeeds();
        let back = loss(&world, &format!("{to}.safetensors"));
        assert_eq!(back, loss(&world, "gru_embedding.safetensors"));
    }
}

#[test]
fn files_that_are_there_are_overwritten_only_with_force() {
    let world = world();
    world.write("lstm.pt", "precious");
    let message = world.run("export lstm.safetensors --to pytorch").fails(2);
    assert!(message.starts_with("error: `lstm.pt` already exists"), "{message}");
    assert_eq!(world.read("lstm.pt"), "precious");
    world.run("export lstm.safetensors --to pytorch --force").succeeds();
    let onto_itself = "export lstm.safetensors --to pytorch --output lstm.safetensors --force";
    let message = world.run(onto_itself).fails(2);
    assert!(message.contains("the weights would overwrite `lstm.safetensors`"), "{message}");
    let message = world.run("export lstm.safetensors --to onnx").fails(2);
    assert!(message.contains("it must be pytorch, safetensors or npz"), "{message}");
    let message = world.run("export lstm.pt --to npz").fails(2);
    assert!(message.contains("is truncated or not a safetensors file"), "{message}");
}

/// Opens the three exports of a GRU with embeddings, and prints the loss that PyTorch computes.
const OPEN: &str = r#"
import json, numpy, torch
from torch import nn
weights = torch.load("gru_embedding.pt", weights_only=True)
arrays = numpy.load("gru_embedding.npz")
assert list(arrays) == list(weights)
assert all((arrays[name] == value.numpy()).all() for name, value in weights.items())
V, D = weights["embed.weight"].shape
H = weights["fc.weight"].shape[1]
model = nn.ModuleDict({"embed": nn.Embedding(V, D), "rnn": nn.GRU(D, H, 1, batch_first=True), "fc": nn.Linear(H, V)})
model.load_state_dict(weights)
characters = json.load(open("gru_embedding.characters.json"))
ids = torch.tensor([characters.index(char) for char in open("text.txt").read()])
with torch.no_grad():
    logits = model["fc"](model["rnn"](model["embed"](ids[None, :-1]))[0])[0]
print(f"loss        {nn.functional.cross_entropy(logits, ids[1:]).item():.4f} nats per character")
"#;

#[test]
fn pytorch_opens_what_is_exported_and_computes_the_same_loss() {
    // Where torch is installed for another Python than the first in the path, this names it.
    let python = std::env::var_os("CHARLOOM_PYTHON").unwrap_or_else(|| "python3".into());
    let has_torch = Command::new(&python).args(["-c", "import torch, numpy"]).output();
    if !has_torch.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: {} has no torch", python.to_string_lossy());
        return;
    }
    let world = world();
    for to in ["pytorch", "npz"] {
        world.run(&format!("export gru_embedding.safetensors --to {to} --force")).succeeds();
    }
    let folder = world.path("text.txt");
    let mut open = Command::new(&python);
    let opened = open.args(["-c", OPEN]).current_dir(folder.parent().unwrap()).output().unwrap();
    let printed = String::from_utf8_lossy(&opened.stdout).trim().to_owned();
    assert_eq!(
        printed,
        loss(&world, "gru_embedding.safetensors"),
        "{}",
        String::from_utf8_lossy(&opened.stderr)
    );
}
