"""TensorFlow's operators that the converter to ONNX does not know, or writes wrongly."""

from collections.abc import Callable

import numpy as np
import onnx
import tf2onnx
from tf2onnx.onnx_opset.controlflow import Select
from tf2onnx.onnx_opset.tensor import OneHot


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


def _bucketize(context, node, name, args) -> None:
    """How many of the boundaries a number has reached."""
    bounds = np.array(node.get_attr_value("boundaries"), np.float32)
    outputs, x = list(node.output), node.input[0]
    shape, dtype = context.get_shape(outputs[0]), context.get_dtype(outputs[0])
    context.remove_node(node.name)
    last, bounds = (
        context.make_const(tf2onnx.utils.make_name("bucketize"), array).output[0]
        for array in (np.array([-1], np.int64), bounds)
    )
    x = context.make_node("Cast", [x], attr={"to": onnx.TensorProto.FLOAT}).output[0]
    column = context.make_node("Unsqueeze", [x, last]).output[0]
    reached = context.make_node("GreaterOrEqual", [column, bounds]).output[0]
    ones = context.make_node("Cast", [reached], attr={"to": dtype}).output[0]
    context.make_node(
        "ReduceSum", [ones, last], attr={"keepdims": 0}, outputs=outputs, shapes=[shape], dtypes=[dtype]
    )


def _one_hot(context, node, name, args) -> None:
    """Numbers compared with all that they may be: the converter's own node is wrong for long integers."""
    depth = context.get_node_by_output(node.input[1])
    if not depth.is_const() or node.get_attr_value("axis", -1) != -1:
        OneHot.version_13(context, node)
        return
    known = np.arange(int(depth.get_tensor_value()), dtype=np.int64)
    indices, _, on, off = node.input
    outputs = list(node.output)
    shape, dtype = context.get_shape(outputs[0]), context.get_dtype(outputs[0])
    context.remove_node(node.name)
    constants = [
        context.make_const(tf2onnx.utils.make_name("one_hot"), array).output[0]
        for array in (np.array([-1], np.int64), known)
    ]
    long = context.make_node("Cast", [indices], attr={"to": onnx.TensorProto.INT64}).output[0]
    column = context.make_node("Unsqueeze", [long, constants[0]]).output[0]
    equal = context.make_node("Equal", [column, constants[1]]).output[0]
    context.make_node("Where", [equal, on, off], outputs=outputs, shapes=[shape], dtypes=[dtype])


HANDLERS: dict[str, tuple] = {
    "SelectV2": (_where, []),
    "Bucketize": (_bucketize, []),
    "OneHot": (_one_hot, []),
    "Erfc": (_of_one(_erfc), []),
    "Expm1": (_of_one(_expm1), []),
    "Log1p": (_of_one(_log1p), []),
}
