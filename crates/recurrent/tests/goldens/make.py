"""Golden files for the recurrent layers: forward, final state and every gradient, as torch.nn computes them.

Run `python make.py` with torch (written with 2.15), numpy and safetensors; the files land beside this script.
The inputs are float32 numbers, the arithmetic is float64, the results are rounded once to float32.

`lstm`, `gru`, `tanh` and `relu.safetensors` hold one layer each. A tensor is `CASE/NAME`, CASE `BIAS_INPUT_NxTxDxH`:
BIAS `double` (bias_ih and bias_hh), `single` (bias_ih; torch ran with bias_hh = 0), `none`;
INPUT `dense` (input) or `ids` (one-hot rows of D classes); sizes 3x5x7x6 and 5x4x9x17. G is 4 (lstm), 3 (gru), 1
(tanh, relu).
    input [N,T,D] or ids [N,T] (int32), weight_ih [GH,D], weight_hh [GH,H], bias_ih [GH], bias_hh [GH],
    h0 [N,H], c0 [N,H] (lstm), output [N,T,H], h_n [N,H], c_n [N,H] (lstm).
`grad_output`, `grad_h_n`, `grad_c_n` are the gradients that come from above; `grad_` + any other name is what comes
out (`grad_input` for dense input alone): gradients of sum(output * grad_output) + sum(h_n * grad_h_n) + sum(c_n *
grad_c_n).

`lstm_stack.safetensors` holds two LSTM layers, no CASE: weights end in `_l0` and `_l1` (weight_ih_l1 is [4H,H]),
h0, c0, h_n, c_n are [L,N,H]; N, T, D, H = 3, 5, 7, 6, L = 2, dense, both biases.

`sizes.safetensors` holds layers of the sizes that programs use, in digests: `CELL_INPUT_NxTxDxH/NAME`, NAME an output or
a `grad_` as above. The inputs are not stored: `hashed` makes them. A digest is [2 + 16]: the largest magnitude, the sum
of the products with `hashed(name "probe")`, and the elements at 16 places from the first to the last.

`bf16.safetensors` holds products whose operands are rounded to bfloat16, forward only. `CELL/NAME` (lstm, tanh, relu): one
layer, both biases, dense, sizes 5x4x9x17, stepped by torch's own cell; before each step weights, input and h are rounded,
which is what its products read (a GRU's update reads h besides them, so it isn't there). `linear/NAME`: hidden [R,H], weight
[V,H], bias [V], targets [R], and the mean cross-entropy `loss` [1] of the linear layer with rounded hidden and weight.
The values that are stored aren't rounded.
"""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).parent
SIZES = [(3, 5, 7, 6), (5, 4, 9, 17)]
CELLS = {
    "lstm": nn.LSTM,
    "gru": nn.GRU,
    "tanh": lambda *a, **k: nn.RNN(*a, nonlinearity="tanh", **k),
    "relu": lambda *a, **k: nn.RNN(*a, nonlinearity="relu", **k),
}


def draw(generator, *shape, scale=1.0):
    """Uniform float32 numbers in (-scale, scale), held as float64."""
    values = (torch.rand(*shape, generator=generator) * 2 - 1) * scale
    return values.float().double()


def golden(seed, cell, size, bias="double", kind="dense", layers=1):
    """All tensors of one case under torch's own names."""
    n, t, d, h = size
    generator = torch.Generator().manual_seed(seed)
    layer = CELLS[cell](d, h, layers, bias=bias != "none", batch_first=True).double()
    for name, parameter in layer.named_parameters():
        zero = bias == "single" and name.startswith("bias_hh")
        parameter.data = draw(generator, *parameter.shape, scale=0.0 if zero else 0.6)

    result = {}
    if kind == "ids":
        ids = torch.randint(0, d, (n, t), generator=generator)
        ids[0, 1] = ids[0, 0]  # a class that comes twice must add its gradients
        result["ids"] = ids.int()
        x = nn.functional.one_hot(ids, d).double()
    else:
        x = result["input"] = draw(generator, n, t, d).requires_grad_()
    states = ["h", "c"] if cell == "lstm" else ["h"]
    first = [draw(generator, layers, n, h, scale=0.8).requires_grad_() for _ in states]

    output, last = layer(x, tuple(first) if cell == "lstm" else first[0])
    last = list(last) if cell == "lstm" else [last]
    result["output"] = output
    for letter, before, after in zip(states, first, last):
        result[f"{letter}0"] = before
        result[f"{letter}_n"] = after
    result |= {k: p for k, p in layer.named_parameters() if bias != "single" or not k.startswith("bias_hh")}

    upstream = {k: draw(generator, *result[k].shape) for k in ["output", *(f"{s}_n" for s in states)]}
    sum((result[k] * g).sum() for k, g in upstream.items()).backward()
    gradients = {k: v.grad for k, v in result.items() if v.is_leaf and v.grad is not None}
    result |= {f"grad_{k}": v for k, v in (gradients | upstream).items()}
    return result


LARGE = [("dense", (20, 60, 180, 64)), ("ids", (16, 70, 83, 32))]
SALTS = ["weight_ih", "weight_hh", "bias_ih", "bias_hh", "h0", "c0", "input", "grad_output", "grad_h_n", "grad_c_n", "probe"]


def hashed(name, *shape, scale=1.0):
    """Numbers in [-scale, scale) that a reader can make too: a hash of the name's index in SALTS and the element's index."""
    x = np.arange(np.prod(shape), dtype=np.uint64) * 0x9E3779B1 + (SALTS.index(name) + 1) * 0x85EBCA6B & 0xFFFFFFFF
    x = (x ^ x >> 15) * 0x2C1B3C6D & 0xFFFFFFFF
    x = (x ^ x >> 12) * 0x297A2D39 & 0xFFFFFFFF
    x = (x ^ x >> 15) >> 8
    return torch.from_numpy((x.astype(np.float64) / 2**23 - 1) * scale).reshape(shape)


def hashed_ids(n, t, d):
    return ((hashed("input", n, t) + 1) / 2 * d).long()


def digest(tensor):
    flat = tensor.detach().flatten()
    places = torch.arange(16) * (len(flat) - 1) // 15
    head = torch.stack([flat.abs().max(), flat @ hashed("probe", len(flat))])
    return torch.cat([head, flat[places]])


def large(cell, kind, size):
    """Digests of one layer's outputs and gradients, under the names of `golden`."""
    n, t, d, h = size
    layer = CELLS[cell](d, h, batch_first=True).double()
    for name, parameter in layer.named_parameters():
        parameter.data = hashed(name.removesuffix("_l0"), *parameter.shape, scale=0.125)
    if kind == "ids":
        x = nn.functional.one_hot(hashed_ids(n, t, d), d).double()
    else:
        x = hashed("input", n, t, d).requires_grad_()
    states = ["h", "c"] if cell == "lstm" else ["h"]
    first = [hashed(f"{s}0", 1, n, h).requires_grad_() for s in states]
    output, last = layer(x, tuple(first) if cell == "lstm" else first[0])
    last = list(last) if cell == "lstm" else [last]
    result = {"output": output} | {f"{s}_n": x for s, x in zip(states, last)}
    sum((x * hashed(f"grad_{name}", *x.shape)).sum() for name, x in result.items()).backward()
    result |= {f"grad_{s}0": x.grad for s, x in zip(states, first)}
    result |= {f"grad_{k.removesuffix('_l0')}": p.grad for k, p in layer.named_parameters()}
    if x.grad is not None:
        result["grad_input"] = x.grad
    return {name: digest(x) for name, x in result.items()}


def rounded(tensor):
    return tensor.bfloat16().double()


def bf16_layer(seed, cell, size):
    """Inputs, output and final state of one layer whose products read bfloat16."""
    n, t, d, h = size
    generator = torch.Generator().manual_seed(seed)
    layer = CELLS[cell](d, h, batch_first=True).double()
    parameters = {k.removesuffix("_l0"): draw(generator, *p.shape, scale=0.6) for k, p in layer.named_parameters()}
    for name, value in parameters.items():
        getattr(layer, f"{name}_l0").data = rounded(value) if name.startswith("weight") else value
    x, h0, c0 = draw(generator, n, t, d), draw(generator, n, h, scale=0.8), draw(generator, n, h, scale=0.8)
    before, c, output = h0, c0[None], []
    for step in rounded(x).split(1, dim=1):
        state = rounded(before)[None]
        out, last = layer(step, (state, c) if cell == "lstm" else state)
        before, c = (last[0][0], last[1]) if cell == "lstm" else (last[0], c)
        output.append(out)
    result = parameters | {"input": x, "h0": h0, "output": torch.cat(output, 1), "h_n": before}
    return result | ({"c0": c0, "c_n": c[0]} if cell == "lstm" else {})


def bf16_linear(seed, rows, h, v):
    generator = torch.Generator().manual_seed(seed)
    hidden, weight, bias = draw(generator, rows, h), draw(generator, v, h), draw(generator, v)
    targets = torch.randint(0, v, (rows,), generator=generator)
    logits = nn.functional.linear(rounded(hidden), rounded(weight), bias)
    loss = nn.functional.cross_entropy(logits, targets)[None]
    return {"hidden": hidden, "weight": weight, "bias": bias, "targets": targets.int(), "loss": loss}


def one_layer(tensors):
    """Drops the layer from names and state shapes: weight_ih_l0 -> weight_ih, [1,N,H] -> [N,H]."""
    is_state = ("h0", "c0", "h_n", "c_n")
    return {k.removesuffix("_l0"): v.squeeze(0) if k.endswith(is_state) else v for k, v in tensors.items()}


def save(name, tensors):
    stored = {k: (v if v.dtype == torch.int32 else v.detach().float()).contiguous() for k, v in tensors.items()}
    save_file(stored, HERE / f"{name}.safetensors", metadata={"torch": torch.__version__.split("+")[0]})


def main():
    seed = 0
    for cell in CELLS:
        tensors = {}
        for size in SIZES:
            for bias in ["double", "single", "none"]:
                for kind in ["dense", "ids"]:
                    seed += 1
                    case = f"{bias}_{kind}_{'x'.join(map(str, size))}"
                    found = one_layer(golden(seed, cell, size, bias, kind))
                    tensors |= {f"{case}/{k}": v for k, v in found.items()}
        save(cell, tensors)
    save("lstm_stack", golden(100, "lstm", SIZES[0], layers=2))
    digests = {}
    for cell in CELLS:
        for kind, size in LARGE:
            case = f"{cell}_{kind}_{'x'.join(map(str, size))}"
            digests |= {f"{case}/{k}": v for k, v in large(cell, kind, size).items()}
    save("sizes", digests)
    cases = {cell: bf16_layer(200 + i, cell, SIZES[1]) for i, cell in enumerate(["lstm", "tanh", "relu"])}
    cases["linear"] = bf16_linear(210, 20, 37, 23)
    save("bf16", {f"{case}/{k}": v for case, tensors in cases.items() for k, v in tensors.items()})


if __name__ == "__main__":
    main()
