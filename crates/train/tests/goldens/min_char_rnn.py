"""The golden file of min-char-rnn: its algorithm in numpy and double precision, and what its smoothed loss does.

Run `python min_char_rnn.py` with numpy and safetensors; `min_char_rnn.safetensors` lands beside this script. With
`--text FILE --steps S` it trains on that text instead, at the published rate, and prints the smoothed loss 10 times.

The algorithm is Andrej Karpathy's min-char-rnn.py (2015, BSD licence), reimplemented: a tanh network of H = 100 with one
bias on one-hot characters, weights 0.01 * N(0, 1) and biases zero, T = 25 characters at a time, gradients of the sum of
their losses clipped to +-5 each, Adagrad with 1e-8 inside the square root. The position in the text and the state are reset to
zero when fewer than T + 2 characters are left. The smoothed loss starts at that of V equally likely characters and takes
a thousandth of each step's; here it is in nats per character, a T-th of what the script prints.

The whole text has 3,000 characters. The last tenth is for charloom to validate with; training sees the first 2,700, which
min-char-rnn's rule for the end of the data cuts into (2700 - 2) // 25 = 107 steps and charloom's into (2700 - 1) // 25 =
107: the same.
    text [3000] (uint8, ASCII), weight_ih [H,V], weight_hh [H,H], bias_ih [H] (the script's `bh`), fc_weight [V,H],
    fc_bias [V] as they are at first, with characters in code-point order,
    smooth [20]: the smoothed loss after 100, 200, ... 2000 steps at a rate of 0.01,
    first_losses [5]: the losses of the first steps at the script's own rate of 0.1,
    low and high [20]: the lowest and the highest smoothed loss of 8 runs at that rate, of which all but the first start
    from weights that differ in the seventh digit.

Why two rates: at 0.1 Adagrad's first steps are so large (0.1 for each parameter, whatever its gradient) that what follows
is chaotic. A change in the sixteenth digit of the weights moves the smoothed loss by several per cent within 2,000 steps,
so that no other program can be held against it in the fourth digit. At 0.01 runs in single and in double precision agree
to seven digits.
"""

import argparse
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

H, T, STEPS, LIMIT = 100, 25, 2000, 5.0
TRAINED = 2700


def made_up_text(length):
    """Sentences drawn by a small congruential generator, so that the text depends on no library."""
    subjects = ["a weaver", "the old loom", "her shuttle", "one thread", "that cloth"]
    verbs = ["holds", "turns", "mends", "follows", "leaves"]
    objects = ["the warp", "a knot", "two colours", "its frame", "nothing"]
    state, text = 2015, ""

    def pick(words):
        nonlocal state
        state = (state * 1103515245 + 12345) % 2**31
        return words[(state >> 16) % len(words)]

    while len(text) < length:
        text += f"{pick(subjects)} {pick(verbs)} {pick(objects)}{pick([',', '.', '.'])}{pick([' ', chr(10)])}"
    return text[:length]


def loss_and_gradients(inputs, targets, state, parameters):
    """The sum of the losses of T characters, its gradients, and the state after them."""
    w_xh, w_hh, w_hy, b_h, b_y = parameters
    states, probabilities, loss = [state], [], 0.0
    for x, y in zip(inputs, targets):
        states.append(np.tanh(w_xh[:, x] + w_hh @ states[-1] + b_h))
        logits = w_hy @ states[-1] + b_y
        p = np.exp(logits - logits.max())
        probabilities.append(p / p.sum())
        loss -= np.log(probabilities[-1][y])
    gradients = [np.zeros_like(p) for p in parameters]
    d_xh, d_hh, d_hy, d_bh, d_by = gradients
    from_later = np.zeros(H)
    for t in reversed(range(len(inputs))):
        d_logits = probabilities[t].copy()
        d_logits[targets[t]] -= 1.0
        d_hy += np.outer(d_logits, states[t + 1])
        d_by += d_logits
        d_sum = (1.0 - states[t + 1] ** 2) * (w_hy.T @ d_logits + from_later)
        d_bh += d_sum
        d_xh[:, inputs[t]] += d_sum
        d_hh += np.outer(d_sum, states[t])
        from_later = w_hh.T @ d_sum
    return loss, gradients, states[-1]


def train(ids, start, rate, steps=STEPS):
    """The losses of each step, in nats per character."""
    parameters = [p.copy() for p in start]
    sums = [np.zeros_like(p) for p in parameters]
    losses, place = [], None
    for _ in range(steps):
        if place is None or place + T + 1 >= len(ids):
            place, state = 0, np.zeros(H)
        inputs, targets = ids[place : place + T], ids[place + 1 : place + T + 1]
        loss, gradients, state = loss_and_gradients(inputs, targets, state, parameters)
        losses.append(loss / T)
        for parameter, gradient, total in zip(parameters, gradients, sums):
            gradient = np.clip(gradient, -LIMIT, LIMIT)
            total += gradient * gradient
            parameter -= rate * gradient / np.sqrt(total + 1e-8)
        place += T
    return losses


def smoothed(losses, v, every=100):
    """The smoothed loss after every `every` steps."""
    smooth, curve = np.log(v), []
    for step, loss in enumerate(losses, start=1):
        smooth = smooth * 0.999 + loss * 0.001
        if step % every == 0:
            curve.append(smooth)
    return curve


def train_on(text, steps):
    alphabet = sorted(set(text))
    rank, v = {c: i for i, c in enumerate(alphabet)}, len(alphabet)
    draw = np.random.RandomState(1)
    start = [draw.randn(*shape) * 0.01 for shape in [(H, v), (H, H), (v, H)]] + [np.zeros(H), np.zeros(v)]
    every = steps // 10
    for index, smooth in enumerate(smoothed(train([rank[c] for c in text], start, 0.1, steps), v, every), start=1):
        print(f"step {index * every}: smoothed {smooth:.4f}")


def main():
    text = made_up_text(3000)
    alphabet = sorted(set(text))
    ids = [alphabet.index(c) for c in text[:TRAINED]]
    v = len(alphabet)
    assert sorted(set(text[:TRAINED])) == alphabet
    assert (TRAINED - 2) // T == (TRAINED - 1) // T

    draw = np.random.RandomState(7)
    # What charloom starts from is in single precision, so this starts from the same numbers.
    single = lambda x: x.astype(np.float32).astype(np.float64)
    start = [single(draw.randn(*shape) * 0.01) for shape in [(H, v), (H, H), (v, H)]]
    start += [np.zeros(H), np.zeros(v)]
    names = ["weight_ih", "weight_hh", "fc_weight", "bias_ih", "fc_bias"]
    stored = {name: p.astype(np.float32) for name, p in zip(names, start)}

    published = [train(ids, start, 0.1)]
    for _ in range(7):
        published.append(train(ids, [p * (1 + 1e-7 * draw.randn(*p.shape)) for p in start], 0.1))
    curves = np.array([smoothed(losses, v) for losses in published])
    calm = smoothed(train(ids, start, 0.01), v)
    print(f"V = {v}, smoothed loss from {np.log(v):.4f} to {calm[-1]:.4f} at 0.01")
    print(f"at 0.1 to between {curves.min(axis=0)[-1]:.4f} and {curves.max(axis=0)[-1]:.4f}")

    stored["text"] = np.frombuffer(text.encode(), dtype=np.uint8)
    numbers = {"smooth": calm, "first_losses": published[0][:5], "low": curves.min(axis=0), "high": curves.max(axis=0)}
    stored |= {name: np.array(n, dtype=np.float32) for name, n in numbers.items()}
    save_file(stored, Path(__file__).parent / "min_char_rnn.safetensors")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--text", type=Path)
    parser.add_argument("--steps", type=int, default=100_000)
    arguments = parser.parse_args()
    if arguments.text:
        train_on(arguments.text.read_text(), arguments.steps)
    else:
        main()
