#!/usr/bin/env python3
"""Trains small models of every kind and prints the SHA-256 of their tensors.

Two programs that print the same sums train the same models, bit for bit. Run it with the program before and after a
change that must not change results, on the same machine: sums depend on the vector width.

    python3 bench/golden_runs.py target/release/charloom > before.txt

Needs Python 3.8 and nothing else. All text is generated, so the sums depend on the program alone.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile

SMALL = {"data.batch_size": 6, "data.seq_length": 17, "model.hidden_size": 33, "model.layers": 2, "model.dropout": 0}
# The number of evaluations must not matter: one, after the last step.
ONCE = "{ steps = 1000000 }"

RUNS = {
    "lstm": {},
    "lstm, sizes that fill vectors and blocks": {
        "model.hidden_size": 64,
        "data.batch_size": 40,
        "data.seq_length": 30,
        "data.valid_fraction": 0.2,
        "train.epochs": 5,
    },
    "gru, embedding": {"model.cell": "gru", "model.input": "{ embedding = 7 }"},
    "tanh, single bias, adamw": {
        "model.cell": "tanh",
        "model.bias": "single",
        "train.optimizer": '{ name = "adamw", lr = 1e-3 }',
    },
    "relu, no bias, sgd with momentum": {
        "model.cell": "relu",
        "model.bias": "none",
        "train.optimizer": '{ name = "sgd", lr = 0.05, momentum = 0.9, nesterov = true }',
        "train.clip": "{ value = 0.1 }",
    },
    "dropout": {"model.dropout": 0.4, "train.seed": 9},
    "gru, dropout, carried state": {"model.cell": "gru", "model.dropout": 0.3, "train.state": "carry"},
    "rmsprop, exponential": {
        "train.optimizer": '{ name = "rmsprop", lr = 2e-3, alpha = 0.95, centered = true }',
        "train.schedule": "{ exponential = 0.9, from_epoch = 2 }",
    },
    "adagrad, step": {
        "train.optimizer": '{ name = "adagrad", lr = 0.05, lr_decay = 0.01 }',
        "train.schedule": "{ step = 0.5, every = 2 }",
    },
    "cosine with warm-up": {"train.schedule": "{ cosine = 0.1, warmup_steps = 5 }", "train.clip": "none"},
    "linear, summed loss": {"train.schedule": "{ linear = 0.1 }", "train.loss": "sum"},
    "plateau": {
        "train.schedule": "{ plateau = 0.5, patience = 0 }",
        "train.eval_every": "{ steps = 7 }",
        "train.optimizer": '{ name = "adam", lr = 0.3 }',
        "rows": True,
    },
    "min-char-rnn": {
        "model.cell": "tanh",
        "model.bias": "single",
        "model.layers": 1,
        "model.init": "{ normal = 0.01 }",
        "data.batch_size": 1,
        "data.seq_length": 25,
        "train.loss": "sum",
        "train.optimizer": '{ name = "adagrad", lr = 0.1, eps = 1e-8, form = "min-char-rnn" }',
        "train.clip": "{ value = 5.0 }",
        "train.max_steps": 120,
    },
    "normal init, forget bias": {"model.init": "{ uniform = 0.08 }", "model.forget_bias": 1.0},
    "resumed": {"model.dropout": 0.2, "train.schedule": "{ cosine = 0.0 }", "resume": True},
}


def text():
    """About 9,000 characters of words drawn by a linear congruential generator."""
    words = "the loom weaves a weft of Words, and warp by warp; cloth grows: 1, 2, 3 é ß\n".split(" ")
    state, parts = 7, []
    for _ in range(2200):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        parts.append(words[(state >> 33) % len(words)])
    return " ".join(parts)


def tensors(path):
    """The SHA-256 of names and values of a safetensors file's tensors."""
    with open(path, "rb") as file:
        data = file.read()
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    digest = hashlib.sha256()
    for name in sorted(header):
        if name != "__metadata__":
            start, end = header[name]["data_offsets"]
            digest.update(f"{name} {header[name]['shape']}".encode() + body[start:end])
    return digest.hexdigest()


def train(program, folder, name, flags):
    command = [program, "train", "--runs-dir", folder, "--run", name, "--plain", "--threads", "2", *flags]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    if done.returncode not in (0, 130):
        sys.exit(f"{' '.join(command)}\n{done.stderr}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", help="the charloom executable")
    parser.add_argument("--rows", action="store_true", help="the program knows `data.validation`: set it to rows")
    args = parser.parse_args()
    program = os.path.abspath(args.program)
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "text.txt"), "w", encoding="utf-8") as file:
            file.write(text())
        for number, (title, changes) in enumerate(RUNS.items()):
            settings = {**SMALL, "train.eval_every": ONCE, "train.epochs": 3, "sample.length": 0, **changes}
            resume, rows = settings.pop("resume", False), settings.pop("rows", False)
            if args.rows and rows:
                settings["data.validation"] = "rows"
            flags = ["--text", "text.txt"]
            for key, value in settings.items():
                flags += ["--set", f"{key}={value}"]
            name = f"run-{number}"
            if resume:
                train(program, folder, name, [*flags, "--max-steps", "50"])
                train(program, folder, name, ["--resume", "--max-steps", "0"])
            else:
                train(program, folder, name, flags)
            print(f"{tensors(os.path.join(folder, name, 'model.safetensors'))}  {title}", flush=True)


if __name__ == "__main__":
    main()
