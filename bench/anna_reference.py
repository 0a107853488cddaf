"""The classic exercise in PyTorch: the losses that configs/anna.toml is compared with.

Run `python anna_reference.py --text FILE [--epochs 3] [--seed 1] [--threads 2]` with torch (written with 2.15).
One-hot -> nn.LSTM 2 x 256, dropout 0.5 between layers and before the linear layer, torch's own initialisation;
N = 128, T = 100, Adam 1e-3, global-norm clipping at 5, mean cross-entropy in nats per character. The last tenth of the
text is for validation. The text becomes N contiguous rows and a batch is their next T columns; what does not fill a
batch is dropped, the last target of a row is the row's first character. The state starts at zero each epoch (in
validation too) and is carried, detached, from batch to batch. After each epoch one JSON line: epoch, step, train_loss
(mean over the epoch's steps, dropout on), valid_loss (mean over the validation batches, dropout off), seconds and
chars_per_second of training alone.
`--steps S` ends after S steps, for a quick try. `--hidden 512` is the exercise's larger network. `--save-start FILE` keeps the
initial parameters as a state_dict, so that both sides can start from the same ones.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from torch import nn


class CharRnn(nn.Module):
    def __init__(self, vocab_size, hidden):
        super().__init__()
        self.rnn = nn.LSTM(vocab_size, hidden, 2, dropout=0.5, batch_first=True)
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(hidden, vocab_size)

    def forward(self, ids, state):
        vocab_size = self.fc.out_features
        one_hot = torch.zeros(*ids.shape, vocab_size).scatter_(2, ids.unsqueeze(2), 1.0)
        output, state = self.rnn(one_hot, state)  # [N, T, H]
        return self.fc(self.dropout(output)), state


def batches(ids, rows, columns):
    """Pairs of inputs and targets, [N, T] each, in reading order."""
    width = len(ids) // (rows * columns) * columns
    table = ids[: rows * width].reshape(rows, width)
    following = table.roll(-1, dims=1)  # a row's last target wraps to its first character
    for start in range(0, width, columns):
        yield table[:, start : start + columns], following[:, start : start + columns]


def loss_of(model, inputs, targets, state):
    logits, state = model(inputs, state)
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    return loss, tuple(s.detach() for s in state)


@torch.no_grad()
def validate(model, ids, rows, columns):
    model.eval()
    losses, state = [], None
    for inputs, targets in batches(ids, rows, columns):
        loss, state = loss_of(model, inputs, targets, state)
        losses.append(loss.item())
    model.train()
    return sum(losses) / len(losses)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seq", type=int, default=100)
    parser.add_argument("--steps", type=int, default=0, help="maximum number of steps, 0 for no limit")
    parser.add_argument("--save-start", type=Path, help="file to write the initial parameters to, as a state_dict")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    text = arguments.text.read_bytes().decode()  # line ends stay as they are
    rank = {c: i for i, c in enumerate(sorted(set(text)))}
    ids = torch.tensor([rank[c] for c in text])
    boundary = int(len(ids) * 0.9)
    train_ids, valid_ids = ids[:boundary], ids[boundary:]
    size = (arguments.batch, arguments.seq)
    if len(valid_ids) < arguments.batch * arguments.seq:
        parser.error("the last tenth of the text does not fill one validation batch")

    model = CharRnn(len(rank), arguments.hidden)
    if arguments.save_start:
        torch.save(model.state_dict(), arguments.save_start)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    step = 0
    for epoch in range(1, arguments.epochs + 1):
        losses, state, start = [], None, time.perf_counter()
        for inputs, targets in batches(train_ids, *size):
            optimizer.zero_grad()
            loss, state = loss_of(model, inputs, targets, state)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            losses.append(loss.item())
            step += 1
            if step == arguments.steps:
                break
        seconds = time.perf_counter() - start
        line = {
            "epoch": epoch,
            "step": step,
            "train_loss": round(sum(losses) / len(losses), 5),
            "valid_loss": round(validate(model, valid_ids, *size), 5),
            "seconds": round(seconds, 1),
            "chars_per_second": round(len(losses) * arguments.batch * arguments.seq / seconds),
        }
        print(json.dumps(line), flush=True)
        if step == arguments.steps:
            return


if __name__ == "__main__":
    main()
