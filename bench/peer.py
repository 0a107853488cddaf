"""PyTorch's side of the benchmark: one JSON line for each benchmark.

Run `python peer.py [--threads 2] [--only NAME] [--repeat 5] [--seconds 4]` with torch (written with 2.15).
Each benchmark runs in a process of its own: warm-up, then `repeat` samples of at least `seconds` each.
    {"name", "chars_per_second": median, "spread": (largest - smallest) / median, "n": samples, "peak_megabytes"}
Peak memory is that of the whole process, a megabyte is 2^20 bytes. Measure on an idle machine: with its cores shared,
torch's threads wait for each other and two can be many times slower than one.

A training step is all of it: next batch, one-hot, forward, cross_entropy, backward, clip_grad_norm_, Adam, reading
the loss. The rows named bf16 run under torch.autocast. V is 83 throughout, the text is random ids (content doesn't affect speed). Evaluation and generation run under
no_grad in eval mode; generation draws from the softmax, one character a step and stream. Under no_grad nn.LSTM takes
oneDNN's fused path by itself: good for whole sequences, slow for single steps, so generation is measured without it
too.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

import torch
from torch import nn

V = 83
CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "tanh": nn.RNN}


@dataclass
class Work:
    task: str  # train, eval or generate
    cell: str = "lstm"
    hidden: int = 256
    layers: int = 2
    batch: int = 128
    seq: int = 100
    dropout: float = 0.5
    onednn: bool = True
    bf16: bool = False

    def autocast(self):
        return torch.autocast("cpu", torch.bfloat16, enabled=self.bf16)


WORK = {
    "train-lstm-2x256": Work("train"),
    "train-gru-2x256": Work("train", cell="gru"),
    "train-tanh-2x256": Work("train", cell="tanh"),
    "train-lstm-1x128": Work("train", hidden=128, layers=1, batch=50, seq=50, dropout=0.0),
    "train-lstm-2x512": Work("train", hidden=512, batch=50, seq=50, dropout=0.0),
    "train-lstm-2x256-bf16": Work("train", bf16=True),
    "train-lstm-2x512-bf16": Work("train", hidden=512, batch=50, seq=50, dropout=0.0, bf16=True),
    "eval-lstm-2x256": Work("eval"),
    "eval-lstm-2x512": Work("eval", hidden=512, batch=50, seq=50),
    "eval-lstm-2x256-bf16": Work("eval", bf16=True),
    "eval-lstm-2x512-bf16": Work("eval", hidden=512, batch=50, seq=50, bf16=True),
    "generate-1": Work("generate", batch=1, seq=1),
    "generate-64": Work("generate", batch=64, seq=1),
    "generate-1-no-onednn": Work("generate", batch=1, seq=1, onednn=False),
    "generate-64-no-onednn": Work("generate", batch=64, seq=1, onednn=False),
}


class CharRnn(nn.Module):
    def __init__(self, work):
        super().__init__()
        between = work.dropout if work.layers > 1 else 0.0
        self.rnn = CELLS[work.cell](V, work.hidden, work.layers, dropout=between, batch_first=True)
        self.dropout = nn.Dropout(work.dropout)
        self.fc = nn.Linear(work.hidden, V)

    def forward(self, x, state):
        output, state = self.rnn(x, state)
        return self.fc(self.dropout(output).reshape(-1, output.shape[-1])), state


def one_hot(ids):
    """[N,T] -> [N,T,V] float32; cheaper than nn.functional.one_hot, which goes through int64."""
    return torch.zeros(*ids.shape, V).scatter_(2, ids.unsqueeze(2), 1.0)


def detached(state):
    return tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()


def batches(work):
    """Endless (inputs, targets, starts an epoch): rows of contiguous text, the next columns a batch."""
    rows = torch.randint(V, (work.batch, 40 * work.seq + 1))
    while True:
        for start in range(0, rows.shape[1] - 1, work.seq):
            window = rows[:, start : start + work.seq + 1]
            yield window[:, :-1], window[:, 1:], start == 0


def training(work):
    """A function that takes one training step and returns the number of characters in it."""
    model = CharRnn(work).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    stream, state = batches(work), None

    def step():
        nonlocal state
        inputs, targets, is_first = next(stream)
        state = None if is_first else detached(state)
        optimizer.zero_grad()
        with work.autocast():
            logits, state = model(one_hot(inputs), state)
            loss = nn.functional.cross_entropy(logits, targets.reshape(-1))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        loss.item()
        return inputs.numel()

    return step


def evaluation(work):
    model = CharRnn(work).eval()
    stream, state = batches(work), None

    @torch.no_grad()
    def step():
        nonlocal state
        inputs, targets, is_first = next(stream)
        with work.autocast():
            logits, state = model(one_hot(inputs), None if is_first else state)
            nn.functional.cross_entropy(logits, targets.reshape(-1)).item()
        return inputs.numel()

    return step


def generation(work):
    """A step is 20 characters of every stream, so that reading the clock takes no noticeable time."""
    model = CharRnn(work).eval()
    ids, state = torch.randint(V, (work.batch, 1)), None

    @torch.no_grad()
    def step():
        nonlocal ids, state
        for _ in range(20):
            logits, state = model(one_hot(ids), state)
            ids = torch.multinomial(logits.softmax(1), 1)
            ids.tolist()  # a user reads each character as it is generated
        return 20 * work.batch

    return step


def measure(step, repeat, seconds):
    """Median characters a second and the relative spread, after a warm-up of one sample."""
    rates = []
    for sample in range(repeat + 1):
        characters, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds or characters == 0:
            characters += step()
        if sample > 0:
            rates.append(characters / elapsed)
    median = statistics.median(rates)
    return {"chars_per_second": round(median, 1), "spread": round((max(rates) - min(rates)) / median, 4), "n": repeat}


def peak_megabytes():
    """ru_maxrss counts kilobytes on Linux and bytes on macOS; it starts at what the parent process held."""
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)


def run(name, arguments):
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    work = WORK[name]
    if not work.onednn:
        torch.backends.mkldnn.set_flags(_enabled=False)
    step = {"train": training, "eval": evaluation, "generate": generation}[work.task](work)
    found = measure(step, arguments.repeat, arguments.seconds)
    print(json.dumps({"name": name} | found | {"peak_megabytes": peak_megabytes()}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--only", choices=WORK, metavar="NAME", help=", ".join(WORK))
    parser.add_argument("--repeat", type=int, default=5, help="number of samples; the median is reported")
    parser.add_argument("--seconds", type=float, default=4.0, help="minimum length of a sample")
    arguments = parser.parse_args()
    if arguments.only:
        return run(arguments.only, arguments)
    passed = [f"--{k}={getattr(arguments, k)}" for k in ("threads", "repeat", "seconds")]
    for name in WORK:  # this process stays small: a child's peak never counts below its parent's
        subprocess.run([sys.executable, __file__, "--only", name, *passed], check=True)


if __name__ == "__main__":
    main()
