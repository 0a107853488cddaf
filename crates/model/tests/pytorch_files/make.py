"""Files as `torch.save` writes them, for the import's tests, and the losses that torch computes with them.

Run `python make.py` with torch (written with 2.15) and numpy; the files land beside this script.
Sizes V, H, L, D = 7, 5, 2, 3 unless said otherwise. The characters are `TOKENS`, which are not in code-point order.

Good ones, each with its loss in `expected.txt` (a line `name loss`: mean cross-entropy in nats of every character of
`TEXT` after those before it, state zero at first):
    lstm_bare.pt        state_dict of an LSTM with `lstm.`, `fc.`; V is 7, the vocabulary is not in the file
    lstm_exercise.pt    the PyTorch course's checkpoint: n_hidden, n_layers, state_dict, tokens
    gru_embedding.pt    GRU with `encoder.` (an embedding), `gru.`, `decoder.`; tokens as a list; `module.` before all
    rnn_tanh.pt         Elman with `rnn.`, `linear.`, no recurrent bias, one layer; tokens as a string
    rnn_relu.pt         Elman with `rnn.`, `fc.` and ReLU; char2int in place of tokens
    legacy.pt           lstm_exercise in the format before torch 1.6, with int2char and float64 tensors
    half_strided.pt     lstm_exercise with half-precision weights, transposed and sharing one storage
    whole_module.pt     lstm_exercise, as `torch.save(model)`: objects of the user's class and of torch's
    malicious.pt        lstm_exercise, whose pickle calls `os.system` besides
    traced.pt           an archive of TorchScript: a GRU with an embedding
    lightning.pt        as Lightning has it: `model.` before all names, optimizer states of the same shapes, settings in a
                        namespace with the characters among them; bfloat16
    tied.pt             an LSTM whose embedding is its output layer
Bad ones:
    quantized.pt        weights of eight bits
    bidirectional.pt, projected.pt, batch_norm.pt, no_linear.pt   other networks
    repeated.pt         a few numbers that are said to be a giant network
    tokens_short.pt     lstm_exercise with one character too few
"""

import argparse
import os
from collections import OrderedDict
from pathlib import Path

import numpy
import torch
from torch import nn

HERE = Path(__file__).parent
TOKENS = ("o", " ", "m", "t", "é", "l", "\n")
TEXT = "loom tell\nmelt é omelet\n".replace("e", "o")
V, H, L, D = len(TOKENS), 5, 2, 3


class CharRnn(nn.Module):
    """What a course's exercise makes, with the names that it is asked for."""

    def __init__(self, kind, rnn, fc, layers=L, embed=None, **extra):
        super().__init__()
        self.names = rnn, fc, embed
        if embed:
            setattr(self, embed, nn.Embedding(V, D))
        setattr(self, rnn, kind(D if embed else V, H, layers, batch_first=True, **extra))
        directions = 2 if extra.get("bidirectional") else 1
        setattr(self, fc, nn.Linear(directions * (extra.get("proj_size") or H), V))
        for parameter in self.parameters():
            parameter.data = (torch.rand(parameter.shape) * 2 - 1) * 0.7

    def forward(self, ids):
        rnn, fc, embed = self.names
        x = getattr(self, embed)(ids) if embed else nn.functional.one_hot(ids, V).to(self.get_parameter(f"{fc}.weight").dtype)
        return getattr(self, fc)(getattr(self, rnn)(x)[0])


def loss(model):
    model = model.double()
    ids = torch.tensor([TOKENS.index(char) for char in TEXT])
    logits = model(ids[None, :-1])
    value = nn.functional.cross_entropy(logits[0], ids[1:]).item()
    model.float()
    return value


class Malicious:
    def __reduce__(self):
        return os.system, ("echo this must never be seen",)


def save(content, name, **options):
    torch.save(content, HERE / name, **options)


def exercise(state, tokens=TOKENS):
    return {"n_hidden": H, "n_layers": L, "state_dict": state, "tokens": tokens}


def main():
    torch.manual_seed(11)
    expected = {}

    lstm = CharRnn(nn.LSTM, "lstm", "fc")
    expected["lstm_bare"] = loss(lstm)
    save(lstm.state_dict(), "lstm_bare.pt")

    lstm = CharRnn(nn.LSTM, "lstm", "fc")
    expected["lstm_exercise"] = loss(lstm)
    optimizer = torch.optim.Adam(lstm.parameters())
    # What checkpoints have besides, none of it of any use here.
    besides = {"optimizer": optimizer.state_dict(), "loss": numpy.float64(2.5), "step": torch.tensor(7)}
    besides |= {"device": torch.device("cpu"), "dtype": torch.float32, "size": torch.Size([2]), "seen": {3, 4}}
    save(exercise(lstm.state_dict()) | besides, "lstm_exercise.pt")
    expected["legacy"] = expected["lstm_exercise"]
    doubles = OrderedDict((name, value.double()) for name, value in lstm.state_dict().items())
    legacy = {"state_dict": doubles, "int2char": dict(enumerate(TOKENS))}
    save(legacy, "legacy.pt", _use_new_zipfile_serialization=False)
    save(exercise(lstm.state_dict(), TOKENS[:-1]), "tokens_short.pt")
    save({"state_dict": lstm.state_dict(), "tokens": TOKENS, "epoch": Malicious()}, "malicious.pt")
    save(lstm, "whole_module.pt")

    # One storage holds all weights, each transposed: its strides aren't those of its shape.
    names = list(lstm.state_dict())
    flat = torch.cat([lstm.state_dict()[name].t().reshape(-1) for name in names]).half()
    strided, start = OrderedDict(), 0
    for name in names:
        shape = lstm.state_dict()[name].shape
        strided[name] = flat[start : start + shape.numel()].view(tuple(reversed(shape))).t()
        start += shape.numel()
    rounded = CharRnn(nn.LSTM, "lstm", "fc")
    rounded.load_state_dict(strided)
    expected["half_strided"] = loss(rounded)
    save(exercise(strided), "half_strided.pt")

    gru = CharRnn(nn.GRU, "gru", "decoder", embed="encoder")
    expected["gru_embedding"] = loss(gru)
    state = OrderedDict((f"module.{name}", value) for name, value in gru.state_dict().items())
    save({"model_state_dict": state, "tokens": list(TOKENS)}, "gru_embedding.pt", pickle_protocol=4)

    tanh = CharRnn(nn.RNN, "rnn", "linear", layers=1, bias=False)
    expected["rnn_tanh"] = loss(tanh)
    save({"state_dict": tanh.state_dict(), "tokens": "".join(TOKENS)}, "rnn_tanh.pt")

    relu = CharRnn(nn.RNN, "rnn", "fc", nonlinearity="relu")
    expected["rnn_relu"] = loss(relu)
    char2int = {char: index for index, char in enumerate(TOKENS)}
    save({"state_dict": relu.state_dict(), "char2int": char2int}, "rnn_relu.pt")

    save(exercise(CharRnn(nn.LSTM, "lstm", "fc", bidirectional=True).state_dict()), "bidirectional.pt")
    save(exercise(CharRnn(nn.LSTM, "lstm", "fc", proj_size=4).state_dict()), "projected.pt")
    normed = CharRnn(nn.LSTM, "lstm", "fc")
    normed.norm = nn.BatchNorm1d(H)
    save(exercise(normed.state_dict()), "batch_norm.pt")
    save(nn.LSTM(V, H, L).state_dict(), "no_linear.pt")

    traced = CharRnn(nn.GRU, "net", "last", embed="table")
    expected["traced"] = loss(traced)
    torch.jit.trace(traced, torch.zeros(2, 3, dtype=torch.long)).save(HERE / "traced.pt")

    model = CharRnn(nn.LSTM, "lstm", "fc", embed="emb").bfloat16()
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.zeros(1, 2, dtype=torch.long)).sum().backward()
    expected["lightning"] = loss(model)
    state = {f"model.{name}": value.bfloat16() for name, value in model.state_dict().items()}
    settings = argparse.Namespace(lr=0.1, characters=list(TOKENS))
    model.bfloat16()
    optimizer.step()
    besides = {"epoch": 3, "optimizer_states": [optimizer.state_dict()], "hyper_parameters": {"args": settings}}
    save({"state_dict": state} | besides, "lightning.pt")

    tied = CharRnn(nn.LSTM, "rnn", "decoder", embed="encoder")
    tied.encoder, tied.rnn = nn.Embedding(V, H), nn.LSTM(H, H, L, batch_first=True)
    tied.encoder.weight = tied.decoder.weight
    expected["tied"] = loss(tied)
    save({"state_dict": tied.state_dict(), "tokens": TOKENS}, "tied.pt")

    eight = torch.quantize_per_tensor(torch.rand(4 * H, H), 0.1, 0, torch.qint8)
    save(exercise(lstm.state_dict() | {"lstm.weight_hh_l0": eight}), "quantized.pt")

    # One number, said to be repeated: a network of 17 TB.
    wide, one = 1 << 20, torch.zeros(1, 1)
    state = {"lstm.weight_ih_l0": one.expand(4 * wide, V), "lstm.weight_hh_l0": one.expand(4 * wide, wide)}
    save(exercise(state | {"fc.weight": one.expand(V, wide), "fc.bias": one[0].expand(V)}), "repeated.pt")

    lines = [f"{name} {value!r}\n" for name, value in expected.items()]
    (HERE / "expected.txt").write_text("".join(lines))


if __name__ == "__main__":
    main()
