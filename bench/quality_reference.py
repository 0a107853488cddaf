"""Trains the recipe of `charloom train --minutes M` in PyTorch, for the same time on the same cores.

    python3 bench/quality_reference.py TEXT --minutes 3 --hidden-size 512 --lr 7e-3 --dropout 0.3

One LSTM layer with one-hot input drawn with standard deviation 1.5 and forget bias 1, N = 32, T = 64, AdamW whose decay spares
the biases, gradient norm clipped to 1, a short warm-up and a linear decay to 0, row offsets that differ by epoch, and an
seconds. Prints the validation loss over every character of the last 10 %, from a carried state, and the seconds of the whole
program after its imports. Written with torch 2.15.
"""

import argparse
import copy
import time
from pathlib import Path

import torch
from torch import nn


class CharRnn(nn.Module):
    """`W_ih x` as a look-up with both biases of the LSTM behind it."""

    def __init__(self, vocab, hidden, dropout):
        super().__init__()
        self.rnn = nn.LSTM(vocab, hidden, batch_first=True)
        self.drop = nn.Dropout(dropout)
        self.fc = nn.Linear(hidden, vocab)
        nn.init.normal_(self.rnn.weight_ih_l0, std=1.5)
        with torch.no_grad():
            self.rnn.bias_ih_l0[hidden : 2 * hidden] = 1.0
            self.rnn.bias_hh_l0[hidden : 2 * hidden] = 0.0

    def forward(self, ids, state):
        one_hot = nn.functional.one_hot(ids, self.fc.out_features).float()
        output, state = self.rnn(one_hot, state)
        return self.fc(self.drop(output)), state


def rows_of(ids, n, t, generator):
    """The text as N rows from a random character on, each turned by an offset of its own: [N, B*T + 1]."""
    batches = (len(ids) - 1) // (n * t)
    length = batches * t
    start = torch.randint(len(ids), (1,), generator=generator).item()
    ring = torch.roll(ids, -start)
    position = torch.arange(length)
    inputs, targets = [], []
    for row in range(n):
        offset = torch.randint(length, (1,), generator=generator).item()
        at = row * length + (position + offset) % length
        inputs.append(ring[at])
        targets.append(ring[(at + 1) % len(ring)])
    return torch.stack(inputs), torch.stack(targets)


@torch.no_grad()
def evaluate(model, ids, rows=16, t=256):
    """Nats per character over the text in parallel rows, each warmed up with the 512 characters before it."""
    model.eval()
    total = len(ids) - 1
    stride = -(-(total - 512) // rows)
    loss, count = 0.0, 0
    starts = [row * stride for row in range(rows)]
    length = 512 + stride
    state = None
    for begin in range(0, length, t):
        steps = min(t, length - begin)
        at = torch.tensor(starts)[:, None] + begin + torch.arange(steps)[None]
        counted = (at < total) & ((at >= torch.tensor(starts)[:, None] + 512) | (torch.arange(rows)[:, None] == 0))
        at = at.clamp(max=total - 1)
        logits, state = model(ids[at], state)
        losses = nn.functional.cross_entropy(logits.transpose(1, 2), ids[at + 1], reduction="none")
        loss += losses[counted].double().sum().item()
        count += counted.sum().item()
    model.train()
    return loss / count


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--steps", type=int, help="instead of as many as fit into the minutes")
    parser.add_argument("--hidden-size", type=int, default=512)
    parser.add_argument("--lr", type=float, default=7e-3)
    parser.add_argument("--dropout", type=float, default=0.3)
    parser.add_argument("--weight-decay", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bf16", action="store_true", help="torch.autocast(bfloat16)")
    args = parser.parse_args()
    started = time.time()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)

    text = args.text.read_text(encoding="utf-8")
    chars = sorted(set(text))
    index = {char: i for i, char in enumerate(chars)}
    ids = torch.tensor([index[char] for char in text])
    held_out = len(ids) // 10
    train, valid = ids[: len(ids) - held_out], ids[len(ids) - held_out :]

    n, t = 32, 64
    model = CharRnn(len(chars), args.hidden_size, args.dropout)
    weights = [p for p in model.parameters() if p.dim() > 1]
    biases = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": weights, "weight_decay": args.weight_decay}, {"params": biases, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=args.lr, betas=(0.9, 0.99))
    average = copy.deepcopy(model)
    steps, evaluation_seconds = args.steps or 10**9, 0.0
    best, step, rows, batch, state = float("inf"), 0, None, 0, None
    every, probe = None, None
    while step < steps:
        if rows is None or (batch + 1) * t > rows[0].shape[1]:
            rows, batch, state = rows_of(train, n, t, generator), 0, None
        columns = slice(batch * t, (batch + 1) * t)
        inputs, targets = rows[0][:, columns], rows[1][:, columns]
        batch += 1
        if step == 5:
            probe = time.time()
        if not args.steps and step == 35:
            per_step = (time.time() - probe) / 30
            begun = time.time()
            evaluate(model, valid)
            evaluation_seconds = 2 * (time.time() - begun)
            left = args.minutes * 60 - (time.time() - started)
            evaluations = max(1, min(10, int(left * 0.06 / evaluation_seconds)))
            steps = step + int((left - evaluations * evaluation_seconds) / per_step)
            every = -(-steps // evaluations)
        total = steps if steps < 10**9 else 3600
        warm_up = max(1, min(200, total // 50))
        factor = (step + 1) / (warm_up + 1) if step < warm_up else 1 - (step - warm_up) / (total - warm_up)
        for group in optimizer.param_groups:
            group["lr"] = args.lr * factor
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.bf16):
            logits, state = model(inputs, state)
        loss = nn.functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten())
        state = tuple(part.detach() for part in state)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        decay = min(1 - 1 / max(1.0, 0.03 * total), step / (step + 9))
        with torch.no_grad():
            for to, weight in zip(average.parameters(), model.parameters()):
                to.lerp_(weight, 1 - decay)
        if step == steps or (every or max(1, steps // 10)) and step % (every or max(1, steps // 10)) == 0:
            found = min(evaluate(model, valid), evaluate(average, valid))
            best = min(best, found)
            print(f"step {step} of {steps}: training {loss.item():.4f}, validation {found:.4f}, {time.time() - started:.1f} s", flush=True)
    print(f"validation {best:.4f} after {step} steps, {time.time() - started:.1f} s")


if __name__ == "__main__":
    main()
