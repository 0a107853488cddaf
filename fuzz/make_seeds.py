"""Writes the seeds of the fuzz targets into `corpus/`: valid files, small ones, of every kind.

    cargo build --release && python3 fuzz/make_seeds.py target/release/charloom

Needs nothing but Python and charloom.
"""

import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "fuzz" / "corpus"
CHECKPOINT = ("model.bpk", "optimizer.bpk", "state.safetensors", "progress.json")  # As in the target.


def seed(target, name, content):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def run(charloom, folder):
    """A run with the settings of the target `checkpoint`."""
    (folder / "text.txt").write_text("the loom weaves " * 40)
    command = [charloom, "train", "--plain", "--text", "text.txt", "--run", "seed", "--recipe", "none"]
    command += ["--batch-size", "2", "--seq-length", "8", "--hidden-size", "8", "--layers", "1", "--max-steps", "3"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "runs" / "seed"


def main():
    charloom = str(Path(sys.argv[1]).resolve())
    tests = ROOT / "crates" / "model" / "tests"
    for file in sorted((tests / "pytorch_files").glob("*.pt")):
        content = file.read_bytes()
        seed("import", file.name, content)
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                [name] = [name for name in archive.namelist() if name.endswith("/data.pkl")]
                seed("pickle", file.stem, archive.read(name))
    for file in sorted((tests / "fixtures").glob("*.safetensors")):
        seed("import", file.name, file.read_bytes())
        seed("model_file", file.name, file.read_bytes())
    for file in sorted((ROOT / "configs").glob("*.toml")):
        seed("config", file.name, file.read_bytes())
    chars = ["z", "\n", "é"]
    table = {char: index for index, char in enumerate(chars)}
    for name, value in (("list", chars), ("ids", table), ("chars", dict(enumerate(chars)))):
        seed("vocabulary", f"{name}.json", json.dumps(value).encode())
    seed("vocabulary", "vocab.toml", 'format = 1\ncharacters = "z\\né"\n'.encode())
    with tempfile.TemporaryDirectory() as folder:
        trained = run(charloom, Path(folder))
        seed("metrics", "metrics.csv", (trained / "metrics.csv").read_bytes())
        seed("model_file", "trained.safetensors", (trained / "model.safetensors").read_bytes())
        checkpoint = max((trained / "checkpoints").glob("step-*"))
        for index, name in enumerate(CHECKPOINT):
            seed("checkpoint", name, bytes([index]) + (checkpoint / name).read_bytes())


if __name__ == "__main__":
    main()
