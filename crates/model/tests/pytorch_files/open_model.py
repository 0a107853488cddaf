"""Opens charloom models in PyTorch with the lines of docs/interop.md, and holds the loss against `charloom eval`.

    python open_model.py --charloom target/release/charloom --text TEXT MODEL.safetensors ...

Needs torch and safetensors. Ends with exit code 1 if a loss differs in more than the four decimals that eval prints.
"""

import argparse
import json
import re
import subprocess
import sys

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn


def open_model(path):
    """The network and its characters in the order of their ids."""
    metadata = safe_open(path, "pt").metadata()
    config, chars = (json.loads(metadata[f"charloom.{key}"]) for key in ("config", "vocab"))
    V, H, L, D = (config[key] for key in ("vocab_size", "hidden_size", "layers", "embedding"))
    cell = {"lstm": nn.LSTM, "gru": nn.GRU}.get(config["cell"], nn.RNN)
    options = {"batch_first": True, "bias": config["bias"] != "none"}
    if cell is nn.RNN:
        options["nonlinearity"] = config["cell"]

    weights = load_file(path)
    if config["bias"] == "single":
        weights |= {k.replace("_ih_", "_hh_"): torch.zeros_like(v) for k, v in weights.items() if ".bias_ih_" in k}
    model = nn.ModuleDict({"rnn": cell(D or V, H, L, **options), "fc": nn.Linear(H, V)})
    if D:
        model["embed"] = nn.Embedding(V, D)
    model.load_state_dict(weights)
    return model, chars


@torch.no_grad()
def loss(model, ids, piece=4096):
    """Mean loss of every character after all those before it, nats."""
    vocab_size, total, state = model["fc"].out_features, 0.0, None
    for start in range(0, len(ids) - 1, piece):
        inputs, targets = ids[start : start + piece], ids[start + 1 : start + piece + 1]
        inputs = inputs[: len(targets)]
        x = model["embed"](inputs) if "embed" in model else nn.functional.one_hot(inputs, vocab_size).float()
        hidden, state = model["rnn"](x[None], state)
        total += nn.functional.cross_entropy(model["fc"](hidden[0]).double(), targets, reduction="sum").item()
    return total / (len(ids) - 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--charloom", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("models", nargs="+")
    args = parser.parse_args()
    with open(args.text, encoding="utf-8", newline="") as file:
        text = file.read()
    agree = True
    for path in args.models:
        model, chars = open_model(path)
        ids = torch.tensor([chars.index(char) for char in text])
        in_torch = loss(model, ids)
        command = [args.charloom, "eval", "--model", path, "--text", args.text]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        in_charloom = float(re.search(r"loss +([0-9.]+)", told)[1])
        kind = f"{type(model['rnn']).__name__} {'+ embedding' if 'embed' in model else 'one-hot'}"
        print(f"{path}: {kind}, torch {in_torch:.6f}, charloom {in_charloom:.4f}")
        agree &= abs(in_torch - in_charloom) < 6e-5
    sys.exit(0 if agree else 1)


if __name__ == "__main__":
    main()
