"""TensorFlow's operators that the converter to ONNX does not know, or writes wrongly."""

from collections.abc import Callable

import numpy as np
import onnx
import tf2onnx
from tf2onnx.onnx_opset.controlflow import Select


def _where(context, node, name, args) -> None:
    """A choice by `Where`: the converter's own products with zeros and ones are NaN where what is not chosen
    is infinite. Of booleans onnxruntime has none."""
    if context.get_dtype(node.output[0]) == onnx.TensorProto.BOOL:
        Select.version_7(context, node)
    else:
        node.type = "Where"


def _of_one(write: Callable[..., tuple[str, list[str]]]) -> Callable[..., None]:
    """A handler for a function of one tensor: `write(x, one, make)` gives its last node, where `one` is the
    number in the tensor's type and `make(op, inputs)` any node before it."""

    def handler(context, node, name, args) -> None:
        shape, dtype = context.get_shape(node.output[0]), context.get_dtype(node.output[0])
        number = np.ones((), tf2onnx.utils.map_onnx_to_numpy_type(dtype))
        one = context.make_const(tf2onnx.utils.make_name("one"), number).output[0]
        x, outputs = node.input[0], list(node.output)
        context.remove_node(node.name)

        def make(op: str, *inputs: str) -> str:
            return context.make_node(op, list(inputs)).output[0]

        op, inputs = write(x, one, make)
        context.make_node(op, inputs, outputs=outputs, shapes=[shape], dtypes=[dtype])

    return handler


def _erfc(x, one, make):
    """1 - erf(x), for exact GELU."""
    return "Sub", [one, make("Erf", x)]


def _expm1(x, one, make):
    """exp(x) - 1 = tanh(x / 2) (exp(x) + 1), exact near 0."""
    half = make("Div", x, make("Add", one, one))
    return "Mul", [make("Tanh", half), make("Add", make("Exp", x), one)]


def _log1p(x, one, make):
    """log(1 + x); of small x times what the sum lost, x / (1 + x - 1), as in Goldberg (1991), theorem 4."""
    sum_ = make("Add", x, one)
    log = make("Log", sum_)
    exact = make("Div", make("Mul", x, log), make("Sub", sum_, one))
    small = make("Where", make("Equal", sum_, one), x, exact)
    return "Where", [make("Less", x, one), small, log]


HANDLERS: dict[str, tuple] = {
    "SelectV2": (_where, []),
    "Erfc": (_of_one(_erfc), []),
    "Expm1": (_of_one(_expm1), []),
    "Log1p": (_of_one(_log1p), []),
}
