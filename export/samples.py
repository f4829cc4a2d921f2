"""Sample inputs of a model: what people give, as arrays by name, and what is made up where they give none."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from lstm_apps.errors import InputError, first_line
from lstm_apps.features import Arrays
from lstm_apps.runtime.inputs import as_type, check_inputs

# More than anybody calibrates on: what yields more has no end.
_MOST_BATCHES = 10_000
_EXAMPLES = 3  # made up


def given(data: Any, tensors: Sequence[Any], what: str = "inputs") -> Arrays:
    """`data` as arrays by name, in the inputs' types.

    Args:
        data: Arrays by name, a list of one for each input, or one array; or what yields such, a batch or an
            example at a time: a generator, a function that makes one (as TFLite's converter takes it), a
            `tf.data.Dataset`, whose targets are left out, or a `keras.utils.PyDataset`.
        tensors: The inputs: tensors of Keras with names.
        what: The argument that it was given as.

    Raises:
        InputError: Names, shapes or types do not fit; a number is NaN or infinite; it has no end.
    """
    batches = _batches(data, what)
    if batches is None:
        return _checked(_by_name(data, tensors, what), tensors)
    found: list[Arrays] = []
    for item in itertools.islice(batches, _MOST_BATCHES + 1):
        named = _by_name(_without_targets(item, len(tensors)), tensors, what)
        for t in tensors:  # an example is a batch of one
            if named[t.name].ndim == len(t.shape) - 1:
                named[t.name] = named[t.name][None]
        found.append(_checked(named, tensors))
    if not found:
        raise InputError(f"{what} yields no batch: has the generator been used up?")
    if len(found) > _MOST_BATCHES:
        raise InputError(f"{what} yields more than {_MOST_BATCHES} batches: take some of them.")
    shapes = {n: sorted({b[n].shape[1:] for b in found}) for n in found[0]}
    for name, several in shapes.items():
        if len(several) > 1:
            raise InputError(
                f"{what} yields examples of different shapes of input {name!r}, {several[0]} and "
                f"{several[-1]}: pad or cut them to one."
            )
    return {name: np.concatenate([batch[name] for batch in found]) for name in found[0]}


def _batches(data: Any, what: str) -> Iterator[Any] | None:
    """What `data` yields; None where it is arrays itself."""
    data = getattr(data, "input_gen", data)  # of a tf.lite.RepresentativeDataset
    if isinstance(data, keras.utils.PyDataset):
        return (data[i] for i in range(data.num_batches or 0))
    if callable(data) and not hasattr(data, "__array__"):
        try:
            data = data()
        except TypeError as error:
            raise InputError(
                f"{what} is a function that fails without arguments ({first_line(error)}), expected one that "
                "makes a generator of batches."
            ) from error
    if isinstance(data, list | tuple):
        several = bool(data) and all(
            isinstance(d, Mapping) or (isinstance(d, list | tuple) and any(hasattr(a, "shape") for a in d))
            for d in data
        )
        return iter(data) if several else None
    if isinstance(data, Mapping | str | bytes) or hasattr(data, "__array__"):
        return None
    return iter(data) if isinstance(data, Iterable) else None


def _without_targets(item: Any, inputs: int) -> Any:
    """The inputs of (inputs, targets) or (inputs, targets, weights), which datasets to train on have."""
    nested = isinstance(item, tuple) and item and isinstance(item[0], tuple | list | Mapping)
    if isinstance(item, tuple) and len(item) in (2, 3) and (nested or len(item) != inputs):
        return item[0]
    return item


def _by_name(data: Any, tensors: Sequence[Any], what: str) -> Arrays:
    names = [t.name for t in tensors]
    if not isinstance(data, Mapping):
        data = data if isinstance(data, list | tuple) else [data]
        if len(data) != len(names):
            raise InputError(f"{len(data)} sample inputs, an array each; the model has {len(names)}.")
        data = dict(zip(names, data, strict=True))
    if set(data) != set(names):
        raise InputError(f"The {what} are {sorted(map(str, data))}, the model's {sorted(names)}.")
    return {name: _array(data[name], f"Input {name!r}") for name in names}


def _array(values: Any, what: str) -> np.ndarray:
    try:
        return np.asarray(keras.ops.convert_to_numpy(values))
    except Exception as error:  # of TensorFlow, numpy or another library's array
        raise InputError(f"{what} must be an array of numbers: {first_line(error)}.") from error


def _checked(arrays: Arrays, tensors: Sequence[Any]) -> Arrays:
    """The arrays in the inputs' types."""
    typed: Arrays = {}
    numbers = {t.name: (None, *t.shape[1:]) for t in tensors if t.dtype != "string"}
    if numbers:
        checked = check_inputs({name: arrays[name] for name in numbers}, numbers)
        typed = {t.name: as_type(t.name, checked[t.name], t.dtype) for t in tensors if t.name in numbers}
    for t in tensors:
        if t.name not in typed:
            array = arrays[t.name]
            fits = array.ndim == len(t.shape) and array.size > 0
            if not fits or any(w not in (None, h) for h, w in zip(array.shape[1:], t.shape[1:], strict=True)):
                raise InputError(f"Input {t.name!r} has shape {array.shape}, expected {tuple(t.shape)}.")
            if array.dtype.kind not in "OSU" or not all(isinstance(v, str | bytes) for v in array.flat):
                raise InputError(f"Input {t.name!r} holds {array.dtype}, expected strings.")
            typed[t.name] = array.astype(object)
    if len({len(a) for a in typed.values()}) > 1:
        raise InputError(f"The inputs differ in batch size: { {n: len(a) for n, a in typed.items()} }.")
    return {t.name: typed[t.name] for t in tensors}


def made_up(model: keras.Model, tensors: Sequence[Any], open_size: int) -> Arrays:
    """Three random examples: normal numbers, ids that the layers behind the input know, and where a layer
    makes a mask of them right-padded sequences of three lengths. Axes that the model leaves open have
    `open_size`.

    Raises:
        InputError: An input takes strings.
    """
    rng = np.random.default_rng(0)
    found: Arrays = {}
    for tensor, own in zip(tensors, model.inputs, strict=True):
        if tensor.dtype == "string":
            raise InputError(
                f"Input {tensor.name!r} takes strings, and none can be made up: give some with inputs=, or "
                "export the model behind them, with what makes numbers of strings as preprocess."
            )
        shape = (_EXAMPLES, *(open_size if size is None else size for size in tensor.shape[1:]))
        readers = list(_readers(model, own))
        array, padding = _values(rng, shape, tensor.dtype, readers)
        if padding is not None and len(shape) > 1:
            time = shape[1]
            for row, length in enumerate((time, (time + 1) // 2, 1)):
                array[row, length:] = padding
        found[tensor.name] = array.astype(tensor.dtype)
    return found


def _values(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: str, readers: list[Any]
) -> tuple[np.ndarray, Any]:
    """Random values that the layers which read them know, and what they take for padding, if anything."""
    layers = keras.layers
    embeddings = [r for r in readers if isinstance(r, layers.Embedding)]
    tables = [r for r in readers if isinstance(r, layers.IntegerLookup) and not r.invert]
    sizes = [r.input_dim for r in embeddings]
    sizes += [r.num_tokens for r in readers if isinstance(r, layers.CategoryEncoding) and r.num_tokens]
    masks = any(r.mask_zero for r in embeddings)
    if dtype == "bool":  # of steps that are valid, as a mask is given
        return np.ones(shape, bool), False
    if tables:
        return rng.choice(tables[0].get_vocabulary(), shape), 0 if tables[0].mask_token == 0 else None
    if sizes:
        least = 1 if masks and min(sizes) > 1 else 0
        return rng.integers(least, min(sizes), shape), 0 if masks else None
    if keras.backend.is_int_dtype(dtype):
        return rng.integers(0, 10, shape), None
    values = [r.mask_value for r in readers if isinstance(r, layers.Masking)]
    return rng.standard_normal(shape), values[0] if values else None


def _readers(model: keras.Model, tensor: Any) -> Iterator[Any]:
    """The layers that an input reaches as it is: up to the first that has weights or a table, which makes
    something else of it."""
    reached = {id(tensor)}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            layer = node.operation
            if not reached & {id(t) for t in node.input_tensors}:
                continue
            if not isinstance(layer, keras.Layer):
                reached |= {id(t) for t in node.output_tensors}
                continue
            yield from layer._flatten_layers()
            if not layer.weights and not hasattr(layer, "lookup_table"):
                reached |= {id(t) for t in node.output_tensors}
