"""The LSTM and its variants in plain numpy, one gate at a time: written from the papers, sharing
nothing with the layer."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, weights, *, mask=None, h=None, c=None, peephole=False, projection_units=None, layer_norm=False,
         coupled_gates=False, zoneout=0.0, cell_clip=None, use_bias=True, go_backwards=False):  # fmt: skip
    """Hidden states (batch, time, hidden), last h and last c, without dropout.

    `weights` as the layer gives them: kernel, recurrent kernel, bias, peephole, gain, projection.
    """
    weights = [np.asarray(w, np.float64) for w in weights]
    names = ["f", "g", "o"] if coupled_gates else ["i", "f", "g", "o"]
    units = weights[0].shape[1] // len(names)
    kernel, recurrent = weights[0], weights[1]
    rest = iter(weights[2:])
    bias = next(rest) if use_bias else np.zeros(len(names) * units)
    peeps = next(rest) if peephole else np.zeros((len(names) - 1, units))
    gain = next(rest) if layer_norm else None
    projection = next(rest) if projection_units else None
    column = {n: slice(k * units, (k + 1) * units) for k, n in enumerate(names)}
    peep = dict(zip([n for n in names if n != "g"], peeps, strict=True))

    def total(name, x_t, h, c=None):
        s = x_t @ kernel[:, column[name]] + h @ recurrent[:, column[name]]
        if c is not None:
            s = s + peep[name] * c
        if layer_norm:
            s = gain[column[name]] * (s - s.mean(1, keepdims=True)) / np.sqrt(s.var(1, keepdims=True) + 1e-8)
        return s + bias[column[name]]

    batch, time, _ = x.shape
    h = np.zeros((batch, recurrent.shape[0])) if h is None else h
    c = np.zeros((batch, units)) if c is None else c
    mask = np.ones((batch, time), bool) if mask is None else mask
    hidden = []
    for t in reversed(range(time)) if go_backwards else range(time):
        f = sigmoid(total("f", x[:, t], h, c))
        i = 1 - f if coupled_gates else sigmoid(total("i", x[:, t], h, c))
        new_c = f * c + i * np.tanh(total("g", x[:, t], h))
        if cell_clip:
            new_c = np.clip(new_c, -cell_clip, cell_clip)
        new_h = sigmoid(total("o", x[:, t], h, new_c)) * np.tanh(new_c)
        if projection is not None:
            new_h = new_h @ projection
        new_h = zoneout * h + (1 - zoneout) * new_h
        new_c = zoneout * c + (1 - zoneout) * new_c
        valid = mask[:, t, None]
        h, c = np.where(valid, new_h, h), np.where(valid, new_c, c)
        hidden.append(h)
    return np.stack(hidden, axis=1), h, c
