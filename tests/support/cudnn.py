"""A GPU with cuDNN, as far as Keras asks for one, in numpy."""

import numpy as np
import reference
import tensorflow as tf


def simulate(monkeypatch) -> None:
    """TensorFlow sees a GPU, and cuDNN's operator computes as its manual says, in eager mode only."""
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind=None: ["one"])
    build = {"is_cuda_build": True, "is_rocm_build": False}
    monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: build)
    monkeypatch.setattr(tf.raw_ops, "CudnnRNNV3", by_its_manual)


def by_its_manual(input, input_h, input_c, params, rnn_mode, sequence_lengths, time_major, **_):
    """An LSTM from parameters in the order of cudnnGetRNNWeightParams: input weights of the input,
    forget, cell and output gate, (units, features) each; recurrent weights; the biases of both."""
    assert rnn_mode == "lstm"
    assert not time_major
    mask = np.arange(input.shape[1]) < sequence_lengths.numpy()[:, None]
    features, units = input.shape[-1], input_h.shape[-1]
    sizes = [(units, features)] * 4 + [(units, units)] * 4 + [(units,)] * 8
    ends = np.cumsum([np.prod(size) for size in sizes])
    parts = [p.reshape(s) for p, s in zip(np.split(params.numpy(), ends), sizes, strict=False)]
    assert ends[-1] == params.shape[0]
    weights = [np.concatenate(parts[:4]).T, np.concatenate(parts[4:8]).T]
    bias = np.concatenate(parts[8:12]) + np.concatenate(parts[12:])
    state = {"h": input_h[:, 0].numpy(), "c": input_c[:, 0].numpy()}
    outputs, h, c = reference.lstm(input.numpy(), [*weights, bias], mask=mask, **state)
    outputs, h, c = (tf.constant(v, tf.float32) for v in (outputs * mask[..., None], h, c))
    return outputs, h[:, None], c[:, None], None, None
