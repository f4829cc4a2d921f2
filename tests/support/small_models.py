"""Small models, and the forms that they leave in."""

import keras
import pytest

import export

FORMS = [(export.to_onnx, "m.onnx", "LSTM"), (export.to_tflite, "m.tflite", "UNIDIRECTIONAL_SEQUENCE_LSTM")]
each_form = pytest.mark.parametrize(("write", "file", "operator"), FORMS, ids=["onnx", "tflite"])


def sequential(*layers, features=4, time=7):
    return keras.Sequential([keras.Input((time, features)), *layers])


def twice(layer):
    x = keras.Input((7, 4))
    return keras.Model(x, layer(x) - layer(-2 * x))


def side_by_side(*layers):
    x = keras.Input((7, 4))
    return keras.Model(x, keras.ops.concatenate([layer(x) for layer in layers], axis=-1))
