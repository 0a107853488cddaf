"""Golden files for training: 100 steps of whole training runs, 100 steps of every optimizer, and schedules.

Run `python make.py` with torch (written with 2.15), numpy and safetensors; the files land beside this script.

`{lstm,gru,tanh,lstm_clip,lstm_clip_value,gru_embedding}_100_steps.safetensors`: float32 training as users run it, on one thread.
One-hot (or an embedding of D = 8) -> L = 2 recurrent layers, H = 10 -> linear, V = 13, no dropout; N = 4, T = 7.
Adam 1e-2 with torch's defaults, clip_grad_norm_ 5 (`lstm_clip`: 0.25; `lstm_clip_value`: clip_grad_value_ 0.003 instead), mean cross-entropy. The state starts at zero
each epoch, is carried from batch to batch and detached. What does not fill a batch is dropped; the last target of a
row's last window is the row's first character.
    initial.* and final.* (rnn.weight_ih_l0 ... rnn.bias_hh_l1, fc.weight, fc.bias, embed.weight with the embedding),
    text [613] (uint8, ASCII), text_ids [613] (int32, ranks of the 13 characters in code-point order),
    inputs and targets [21,N,T] (int32): every batch of an epoch, in order,
    losses [100] before each step, norms [100]: the global gradient norm before clipping (`lstm_clip_value`: the
    largest of the gradients),
    losses_f64 [100]: the same run in float64, which tells rounding from error.

`optimizers.safetensors`: initial [4,5], gradients [100,4,5] (given, whatever the parameters are), and for each NAME of
OPTIMIZERS `NAME/after_1`, `NAME/after_10`, `NAME/after_100` [4,5], computed in float64. The metadata `settings` is
JSON, NAME -> settings; what is not there is torch's default. `adagrad_inside_root` is min-char-rnn's form, sum +=
g*g; p -= lr*g / sqrt(sum + 1e-8). `rmsprop_torch7` is Torch7's optim.rmsprop in numpy, m = alpha*m + (1-alpha)*g*g;
p -= lr*g / (sqrt(m) + epsilon), with char-rnn's numbers. Gradients are around 10 in row 0, 0.1 in row 1, 1e-4 in row 2, 1e-8 in row 3
(epsilon decides), and 0 in the last column.

`schedules.safetensors`: learning rates that torch's schedulers give, lr = 0.2. `exponential` and `step` [12], one an epoch
(gamma 0.97; 0.5 every 3); `linear`, `linear_warmup` and `cosine` [48], one a step (to 0.1 of it; both others to 0.05 of it
after 7 steps up);
`plateau` [30], the rate after each of `plateau_losses` [30] (factor 0.5, patience 2); `char_rnn` [12]: 0.97 after each
epoch from the 5th on, as char-rnn's loop does it.
"""

import json
from pathlib import Path

import numpy
import torch
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).parent
N, T, H, L, D, STEPS = 4, 7, 10, 2, 8, 100
CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "tanh": nn.RNN}
OPTIMIZERS = {
    "adam": (torch.optim.Adam, {"lr": 1e-3}),
    "adam_weight_decay": (torch.optim.Adam, {"lr": 1e-3, "weight_decay": 0.1}),
    "adamw": (torch.optim.AdamW, {"lr": 1e-3}),
    "adamw_weight_decay": (torch.optim.AdamW, {"lr": 1e-2, "weight_decay": 0.5}),
    "sgd": (torch.optim.SGD, {"lr": 0.1}),
    "sgd_weight_decay": (torch.optim.SGD, {"lr": 0.1, "weight_decay": 0.1}),
    "sgd_momentum": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    "sgd_dampening": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.5}),
    "sgd_nesterov": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "rmsprop": (torch.optim.RMSprop, {"lr": 1e-2}),
    "rmsprop_char_rnn": (torch.optim.RMSprop, {"lr": 2e-3, "alpha": 0.95}),
    "rmsprop_momentum": (torch.optim.RMSprop, {"lr": 1e-2, "momentum": 0.9}),
    "rmsprop_centered": (torch.optim.RMSprop, {"lr": 1e-2, "centered": True}),
    "rmsprop_weight_decay": (torch.optim.RMSprop, {"lr": 1e-2, "weight_decay": 0.1}),
    "adagrad": (torch.optim.Adagrad, {"lr": 1e-2}),
    "adagrad_lr_decay": (torch.optim.Adagrad, {"lr": 1e-2, "lr_decay": 0.01}),
    "adagrad_weight_decay": (torch.optim.Adagrad, {"lr": 1e-2, "weight_decay": 0.1}),
}


class CharRnn(nn.Module):
    def __init__(self, cell, vocab_size, embedding):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, D) if embedding else None
        self.rnn = CELLS[cell](D if embedding else vocab_size, H, L, batch_first=True)
        self.fc = nn.Linear(H, vocab_size)

    def forward(self, ids, state):
        vocab_size, dtype = self.fc.out_features, self.fc.weight.dtype
        x = self.embed(ids) if self.embed else nn.functional.one_hot(ids, vocab_size).to(dtype)
        output, state = self.rnn(x, state)
        return self.fc(output), state


def made_up_text(length):
    """Words drawn by a small congruential generator, so that the text depends on no library."""
    words = ["the", "hat", "met", "a", "tame", "moth", "on", "seas", "of", "salt.\n", "less", "foam", "fell"]
    text, state = "", 12345
    while len(text) < length:
        state = (state * 1103515245 + 12345) % 2**31
        text += words[(state >> 16) % len(words)] + " "
    return text[:length]


def batches(ids):
    """Inputs and targets [B,N,T]: N contiguous rows, T columns a batch."""
    columns = len(ids) // (N * T) * T
    rows = ids[: N * columns].reshape(N, columns)
    following = torch.cat([rows[:, 1:], rows[:, :1]], dim=1)
    return [x.reshape(N, -1, T).transpose(0, 1).contiguous() for x in (rows, following)]


def train(model, inputs, targets, clip):
    """100 steps; the losses and the gradient norms before clipping."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses, norms = [], []
    for step in range(STEPS):
        batch = step % len(inputs)
        if batch == 0:
            state = None  # torch takes it for zeros
        logits, state = model(inputs[batch], state)
        state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
        loss = nn.functional.cross_entropy(logits.reshape(N * T, -1), targets[batch].reshape(N * T))
        optimizer.zero_grad()
        loss.backward()
        norms.append(clip(list(model.parameters())))
        optimizer.step()
        losses.append(loss.item())
    return losses, norms


def clip_norm(limit):
    return lambda parameters: nn.utils.clip_grad_norm_(parameters, limit).item()


def clip_value(limit):
    def clip(parameters):
        largest = max(p.grad.abs().max().item() for p in parameters)
        nn.utils.clip_grad_value_(parameters, limit)
        return largest

    return clip


def save(name, tensors, metadata=None):
    """At most one metadata key: with two, safetensors writes them in any order and the file's bytes change."""
    stored = {k: (v.float() if v.is_floating_point() else v).clone().contiguous() for k, v in tensors.items()}
    save_file(stored, HERE / f"{name}.safetensors", metadata=metadata)


def training_run(name, seed, cell, clip=clip_norm(5.0), embedding=False):
    text = made_up_text(613)
    alphabet = sorted(set(text))
    assert len(alphabet) == 13, len(alphabet)
    ids = torch.tensor([alphabet.index(c) for c in text])
    inputs, targets = batches(ids)
    torch.manual_seed(seed)
    model = CharRnn(cell, len(alphabet), embedding)
    initial = {k: v.clone() for k, v in model.state_dict().items()}
    losses, norms = train(model, inputs, targets, clip)
    final = model.state_dict()

    exact = CharRnn(cell, len(alphabet), embedding).double()
    exact.load_state_dict(initial)
    losses_f64, _ = train(exact, inputs, targets, clip)

    tensors = {f"initial.{k}": v for k, v in initial.items()} | {f"final.{k}": v for k, v in final.items()}
    letters = torch.tensor(list(text.encode()), dtype=torch.uint8)
    tensors |= {"text": letters, "text_ids": ids.int(), "inputs": inputs.int(), "targets": targets.int()}
    tensors |= {"losses": torch.tensor(losses), "norms": torch.tensor(norms), "losses_f64": torch.tensor(losses_f64)}
    save(f"{name}_100_steps", tensors)


def inside_root(parameter, lr=0.1):
    """min-char-rnn's Adagrad as a step function."""
    total = torch.zeros_like(parameter)

    def step():
        total.add_(parameter.grad**2)
        parameter.data -= lr * parameter.grad / (total + 1e-8).sqrt()

    return step


def torch7_rmsprop(parameter, lr=2e-3, alpha=0.95, epsilon=1e-8):
    """Torch7's RMSprop as a step function, in numpy."""
    mean = numpy.zeros(parameter.shape)

    def step():
        nonlocal mean
        gradient = parameter.grad.numpy()
        mean = alpha * mean + (1 - alpha) * gradient * gradient
        parameter.data -= torch.from_numpy(lr * gradient / (numpy.sqrt(mean) + epsilon))

    return step


def optimizers():
    generator = torch.Generator().manual_seed(7)
    initial = torch.randn(4, 5, generator=generator)
    gradients = torch.randn(STEPS, 4, 5, generator=generator) + 0.5  # not of zero mean: momentum must build up
    gradients *= torch.tensor([10, 0.1, 1e-4, 1e-8]).reshape(4, 1)
    gradients[:, :, 4] = 0
    tensors, used = {"initial": initial, "gradients": gradients}, {}
    by_hand = {
        "adagrad_inside_root": (inside_root, {"lr": 0.1}),
        "rmsprop_torch7": (torch7_rmsprop, {"lr": 2e-3, "alpha": 0.95}),
    }
    for name in [*OPTIMIZERS, *by_hand]:
        parameter = nn.Parameter(initial.double())
        if name in OPTIMIZERS:
            kind, settings = OPTIMIZERS[name]
            step = kind([parameter], **settings).step
        else:
            kind, settings = by_hand[name]
            step = kind(parameter)
        used[name] = settings
        for count, gradient in enumerate(gradients, start=1):
            parameter.grad = gradient.double()
            step()
            if count in (1, 10, 100):
                tensors[f"{name}/after_{count}"] = parameter.data.clone()
    save("optimizers", tensors, {"settings": json.dumps(used)})


def rates(make, count, losses=None):
    """The learning rates of `count` steps of a scheduler; with losses, the rate after each of them."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.2)
    scheduler, found = make(optimizer), []
    for index in range(count):
        if losses is None:
            found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step() if losses is None else scheduler.step(losses[index])
        if losses is not None:
            found.append(optimizer.param_groups[0]["lr"])
    return torch.tensor(found)


def char_rnn_rates(epochs):
    rate, found = 0.2, []
    for epoch in range(1, epochs + 1):
        found.append(rate)
        if epoch >= 5:
            rate *= 0.97
    return torch.tensor(found)


def schedules():
    of = torch.optim.lr_scheduler
    losses = [2.0, 1.5, 1.5, 1.4999, 1.6, 1.49, 1.5, 1.5, 1.5, 1.5] + [1.45 + 0.01 * i for i in range(20)]

    def warm_cosine(optimizer):
        up = of.LinearLR(optimizer, start_factor=1 / 8, total_iters=7)
        down = of.CosineAnnealingLR(optimizer, T_max=41, eta_min=0.2 * 0.05)
        return of.SequentialLR(optimizer, [up, down], milestones=[7])

    def warm_linear(optimizer):
        up = of.LinearLR(optimizer, start_factor=1 / 8, total_iters=7)
        down = of.LinearLR(optimizer, start_factor=1.0, end_factor=0.05, total_iters=41)
        return of.SequentialLR(optimizer, [up, down], milestones=[7])

    tensors = {
        "exponential": rates(lambda o: of.ExponentialLR(o, 0.97), 12),
        "step": rates(lambda o: of.StepLR(o, step_size=3, gamma=0.5), 12),
        "linear": rates(lambda o: of.LinearLR(o, start_factor=1.0, end_factor=0.1, total_iters=48), 48),
        "linear_warmup": rates(warm_linear, 48),
        "cosine": rates(warm_cosine, 48),
        "plateau": rates(lambda o: of.ReduceLROnPlateau(o, factor=0.5, patience=2), 30, losses),
        "plateau_losses": torch.tensor(losses),
        "char_rnn": char_rnn_rates(12),
    }
    save("schedules", tensors)


def main():
    torch.set_num_threads(1)
    for seed, cell in enumerate(CELLS):
        training_run(cell, seed, cell)
    training_run("lstm_clip", 3, "lstm", clip=clip_norm(0.25))
    training_run("lstm_clip_value", 5, "lstm", clip=clip_value(0.003))
    training_run("gru_embedding", 4, "gru", embedding=True)
    optimizers()
    schedules()


if __name__ == "__main__":
    main()
