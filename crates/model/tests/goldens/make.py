"""Golden files for the whole character model: logits, state, loss and every gradient, as torch computes them.

Run `python make.py` with torch (written with 2.15), numpy and safetensors; the files land beside this script.
The inputs are float32 numbers, the arithmetic is float64, the results are rounded once to float32.

`char_{lstm,gru,tanh,relu}.safetensors`: one-hot -> two recurrent layers -> linear, no dropout.
`char_gru_embedding.safetensors`: the same with an embedding (D = 5) in place of one-hot.
`char_{lstm,gru}_sum.safetensors`: one-hot, and the linear layer reads the sum of both layers' outputs.
Sizes N, T, V, H, L = 3, 5, 11, 6, 2. D is V, or 5 with the embedding. G is 4 (lstm), 3 (gru), 1 (tanh, relu).
    rnn.weight_ih_l0 [GH,D], rnn.weight_hh_l0 [GH,H], rnn.bias_ih_l0 [GH], rnn.bias_hh_l0 [GH],
    rnn.weight_ih_l1 [GH,H], rnn.weight_hh_l1, rnn.bias_ih_l1, rnn.bias_hh_l1, fc.weight [V,H], fc.bias [V],
    embed.weight [V,D] (embedding alone), ids [N,T] and targets [N,T] (int32), h0 and c0 (lstm) [L,N,H],
    logits [N,T,V], loss [1] (cross-entropy, mean over N*T, nats), h_n and c_n (lstm) [L,N,H].
`grad_` + the name of a parameter, of h0 or of c0 is the gradient of the loss; `grad_logits` too.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).parent
N, T, V, H, L, D = 3, 5, 11, 6, 2, 5
CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "tanh": nn.RNN, "relu": nn.RNN}


class CharRnn(nn.Module):
    def __init__(self, cell, embedding, sum_layers):
        super().__init__()
        self.sum_layers = sum_layers
        self.embed = nn.Embedding(V, D) if embedding else None
        extra = {"nonlinearity": cell} if cell in ("tanh", "relu") else {}
        self.rnn = CELLS[cell](D if embedding else V, H, L, batch_first=True, **extra)
        self.fc = nn.Linear(H, V)

    def forward(self, ids, state):
        x = self.embed(ids) if self.embed else nn.functional.one_hot(ids, V).to(self.fc.weight.dtype)
        output, state = self.summed(x, state) if self.sum_layers else self.rnn(x, state)
        return self.fc(output), state

    def summed(self, x, state):
        """The sum of the layers' outputs: each layer runs as a module of one layer with its parameters."""
        states = state if isinstance(state, tuple) else (state,)
        total, lasts = 0, []
        for layer in range(L):
            single = type(self.rnn)(x.shape[-1], H, 1, batch_first=True).double()
            suffix = f"_l{layer}"
            named = {k: v for k, v in self.rnn.named_parameters() if k.endswith(suffix)}
            own = {k.removesuffix(suffix) + "_l0": v for k, v in named.items()}
            first = tuple(s[layer : layer + 1] for s in states)
            arguments = (x, first if len(first) == 2 else first[0])
            x, last = torch.func.functional_call(single, own, arguments)
            lasts.append(last if isinstance(last, tuple) else (last,))
            total = total + x
        last = tuple(torch.cat(parts) for parts in zip(*lasts))
        return total, last if len(last) == 2 else last[0]


def draw(generator, *shape, scale):
    """Uniform float32 numbers in (-scale, scale), held as float64."""
    values = (torch.rand(*shape, generator=generator) * 2 - 1) * scale
    return values.float().double()


def golden(seed, cell, embedding=False, sum_layers=False):
    generator = torch.Generator().manual_seed(seed)
    model = CharRnn(cell, embedding, sum_layers).double()
    for parameter in model.parameters():
        parameter.data = draw(generator, *parameter.shape, scale=0.6)
    ids = torch.randint(0, V, (N, T), generator=generator)
    targets = torch.randint(0, V, (N, T), generator=generator)
    letters = ["h", "c"] if cell == "lstm" else ["h"]
    first = [draw(generator, L, N, H, scale=0.8).requires_grad_() for _ in letters]

    logits, last = model(ids, tuple(first) if cell == "lstm" else first[0])
    last = last if cell == "lstm" else [last]
    logits.retain_grad()
    loss = nn.functional.cross_entropy(logits.reshape(N * T, V), targets.reshape(N * T))
    loss.backward()

    tensors = dict(model.named_parameters()) | {"logits": logits}
    tensors |= {f"{letter}0": state for letter, state in zip(letters, first)}
    tensors |= {f"grad_{k}": v.grad for k, v in tensors.items()}
    tensors |= {f"{letter}_n": state for letter, state in zip(letters, last)}
    return tensors | {"ids": ids.int(), "targets": targets.int(), "loss": loss.reshape(1)}


def main():
    cases = [(cell, cell, False, False) for cell in CELLS] + [("gru_embedding", "gru", True, False)]
    cases += [(f"{cell}_sum", cell, False, True) for cell in ("lstm", "gru")]
    for seed, (name, cell, embedding, sum_layers) in enumerate(cases):
        tensors = golden(seed, cell, embedding, sum_layers)
        stored = {k: (v if v.dtype == torch.int32 else v.detach().float()).contiguous() for k, v in tensors.items()}
        version = torch.__version__.split("+")[0]
        save_file(stored, HERE / f"char_{name}.safetensors", metadata={"torch": version})


if __name__ == "__main__":
    main()
