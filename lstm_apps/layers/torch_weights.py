"""Weights of `torch.nn.LSTM`, in and out, without torch: state dicts as numpy arrays.

torch stores (4 * units, features) matrices with gates in the order input, forget, candidate, output,
which is Keras's, and two biases that are added up.
"""

from collections.abc import Mapping

import numpy as np


def from_torch(state: Mapping[str, np.ndarray], layer: int = 0, reverse: bool = False) -> list[np.ndarray]:
    """Weights for `LSTM.set_weights`, from one layer and direction of a `torch.nn.LSTM`.

    Args:
        state: `{name: tensor.numpy() for name, tensor in module.state_dict().items()}`.
        layer: Number of the layer in the stack.
        reverse: The backward direction of a bidirectional module: the weights of a layer with
            `go_backwards=True`.

    Returns:
        Kernel, recurrent kernel, bias (if the module has biases), projection (if it has `proj_size`:
        a layer with `projection_units`).

    Raises:
        ValueError: The state has no such layer.
    """
    end = _suffix(layer, reverse)
    if f"weight_ih{end}" not in state:
        raise ValueError(f"The state dict has no weight_ih{end}; it has: {', '.join(state)}.")
    weights = [np.asarray(state[f"weight_ih{end}"]).T, np.asarray(state[f"weight_hh{end}"]).T]
    if f"bias_ih{end}" in state:
        weights.append(np.asarray(state[f"bias_ih{end}"]) + np.asarray(state[f"bias_hh{end}"]))
    if f"weight_hr{end}" in state:
        weights.append(np.asarray(state[f"weight_hr{end}"]).T)
    return weights


def to_torch(cell, layer: int = 0, reverse: bool = False) -> dict[str, np.ndarray]:
    """One layer and direction of a `torch.nn.LSTM`'s state dict, from an `LSTMCell`; the second bias
    is zero.

    Raises:
        ValueError: The cell is a variant that torch does not have.
    """
    if not cell.is_classic or cell.peephole or cell.layer_norm or cell.coupled_gates:
        raise ValueError("torch.nn.LSTM has no variant but the projection, and only tanh and sigmoid.")
    end = _suffix(layer, reverse)
    state = {f"weight_ih{end}": cell.kernel.numpy().T, f"weight_hh{end}": cell.recurrent_kernel.numpy().T}
    if cell.bias is not None:
        state[f"bias_ih{end}"] = cell.bias.numpy()
        state[f"bias_hh{end}"] = np.zeros_like(cell.bias.numpy())
    if cell.projection is not None:
        state[f"weight_hr{end}"] = cell.projection.numpy().T
    return state


def _suffix(layer: int, reverse: bool) -> str:
    return f"_l{layer}" + ("_reverse" if reverse else "")
