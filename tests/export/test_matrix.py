"""Every variant and every way to use a layer, in every format: which are the runtime's own operator,
and that all answer as Keras does. What a cell cannot be is said beside it."""

from functools import partial

import cudnn
import keras
import numpy as np
import onnx
import pytest

import export
from lstm_apps.errors import InputError
from lstm_apps.layers import LSTM
from lstm_apps.runtime.engines import open_engine
from lstm_apps.runtime.stream import Stream

FORMATS = {
    "onnx": (export.to_onnx, "m.onnx", "LSTM"),
    "tflite": (export.to_tflite, "m.tflite", "UNIDIRECTIONAL_SEQUENCE_LSTM"),
}
EVERYTHING = {"peephole": True, "projection_units": 3, "layer_norm": True, "coupled_gates": True}
EVERYTHING["cell_clip"] = 0.5
# variant -> arguments, and the formats whose operator cannot say it
VARIANTS = {
    "plain": ({}, ()),
    "no bias": ({"use_bias": False}, ()),
    "peephole": ({"peephole": True}, ()),
    "coupled gates": ({"coupled_gates": True}, ()),
    "coupled gates, peephole": ({"coupled_gates": True, "peephole": True, "use_bias": False}, ()),
    "layer norm": ({"layer_norm": True}, ("onnx",)),
    "projection": ({"projection_units": 3}, ("onnx",)),
    "cell clip": ({"cell_clip": 0.3}, ("onnx",)),  # ONNX clips the gates' sums, not the cell
    "everything": (EVERYTHING, ("onnx",)),
    "relu": ({"activation": "relu"}, ()),
    "hard sigmoid": ({"recurrent_activation": "hard_sigmoid"}, ("tflite",)),
    "softsign, elu": ({"activation": "elu", "recurrent_activation": "softsign"}, ("tflite",)),
    "zoneout": ({"zoneout": 0.2}, ("onnx", "tflite")),
}
MASK = keras.layers.Masking


def states(layer, inputs):
    return layer(inputs, initial_state=[keras.layers.Dense(5)(inputs[:, 0]) for _ in range(2)])


# use -> model from a layer constructor, whether its sequences are padded, formats that need a loop
USES = {
    "last": (lambda L, x: L(5)(x), False, ()),
    "sequences": (lambda L, x: L(5, return_sequences=True)(x), False, ()),
    "stacked": (lambda L, x: L(3)(L(5, return_sequences=True)(x)), False, ()),
    "backwards": (lambda L, x: L(5, return_sequences=True, go_backwards=True)(x), False, ()),
    "bidirectional": (
        lambda L, x: keras.layers.Bidirectional(L(5, return_sequences=True))(x),
        False,
        (),
    ),
    "padded, last": (lambda L, x: L(5)(MASK()(x)), True, ()),
    "padded, sequences": (lambda L, x: L(5, return_sequences=True)(MASK()(x)), True, ()),
    "padded, zeros": (
        lambda L, x: L(5, return_sequences=True, zero_output_for_mask=True)(MASK()(x)),
        True,
        (),
    ),
    "padded, bidirectional": (
        lambda L, x: keras.layers.Bidirectional(L(5, return_sequences=True))(MASK()(x)),
        True,
        (),
    ),
    "padded, last of both": (lambda L, x: keras.layers.Bidirectional(L(5))(MASK()(x)), True, ()),
    # TFLite's operator keeps its state to itself.
    "states out": (lambda L, x: L(5, return_state=True)(x), False, ("tflite",)),
    "padded, states out": (lambda L, x: L(5, return_state=True)(MASK()(x)), True, ("tflite",)),
    # Which it need not tell where nothing reads the cell.
    "states unread": (lambda L, x: L(5, return_state=True)(x)[0], False, ()),
    "hidden state out": (lambda L, x: L(5, return_sequences=True, return_state=True)(x)[:2], False, ()),
    "padded, hidden states of both": (
        lambda L, x: keras.layers.Bidirectional(L(5, return_state=True))(MASK()(x))[1::2],
        True,
        (),
    ),
    "initial state": (lambda L, x: states(L(5), x), False, ("tflite",)),
}
each_format = pytest.mark.parametrize("name", FORMATS)
pairwise = pytest.mark.pairwise  # not every combination is run each time, see conftest.py


def examples(padded: bool) -> np.ndarray:
    x = np.random.default_rng(1).normal(size=(4, 7, 4)).astype("float32")
    if padded:
        for row, length in enumerate((7, 3, 1, 0)):
            x[row, length:] = 0
    return x


def model_of(build, layer, time=7) -> keras.Model:
    """The model with weights far from their initial values."""
    inputs = keras.Input((time, 4), name="x")
    model = keras.Model(inputs, build(layer, inputs))
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.7, w.shape) for w in model.get_weights()])
    return model


def check(report, operator: str, loop: bool) -> None:
    assert report.fused is not loop, report.operators
    assert (report.operators[operator] == 0) is loop
    assert not [op for op in report.operators if op.startswith("Flex")]
    assert report.max_abs_error < 2e-6


@each_format
@pytest.mark.parametrize("variant", VARIANTS)
def test_variants(name, variant, tmp_path):
    arguments, loops = VARIANTS[variant]
    write, file, operator = FORMATS[name]
    model = model_of(lambda L, x: L(5, return_sequences=True, go_backwards=True, **arguments)(x), LSTM)
    check(write(model, tmp_path / file, inputs=examples(False)), operator, name in loops)


@pairwise
@each_format
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("layer", [LSTM, keras.layers.LSTM], ids=["ours", "keras"])
def test_uses(name, use, layer, tmp_path):
    build, padded, loops = USES[use]
    write, file, operator = FORMATS[name]
    model = model_of(build, layer)
    report = write(model, tmp_path / file, inputs=examples(padded), right_padded=padded)
    check(report, operator, name in loops)


@each_format
def test_any_mask_is_a_loop(name, tmp_path):
    write, file, operator = FORMATS[name]
    x = examples(False)
    x[0, 2] = x[1, :3] = x[2] = 0
    check(write(model_of(USES["padded, sequences"][0], LSTM), tmp_path / file, inputs=x), operator, True)


@each_format
def test_padding_on_the_other_side_is_noticed(name, tmp_path):
    write, file, _ = FORMATS[name]
    x = examples(False)
    x[:, :3] = 0
    model = model_of(USES["padded, sequences"][0], LSTM)
    with pytest.raises(InputError, match=r"example 0 .* a masked step before a valid one"):
        write(model, tmp_path / file, inputs=x, right_padded=True)


def test_onnx_takes_padded_sequences_of_any_length(tmp_path):
    model = model_of(USES["padded, bidirectional"][0], LSTM, time=None)
    report = export.to_onnx(model, tmp_path / "m.onnx", inputs=examples(True), right_padded=True)
    assert report.fused
    x = np.concatenate([examples(True), np.zeros((4, 20, 4), "float32")], axis=1)
    (found,) = open_engine(report.path).run({"x": x}).values()
    np.testing.assert_allclose(found, model(x), atol=1e-6)


def stack(units, **kwargs):
    cells = [keras.layers.GRUCell(3), keras.layers.LSTMCell(units)]
    return keras.layers.RNN(cells, **kwargs)


# They have other initial states, and a function is not a layer that could be made bidirectional.
OTHERS = [
    (use, layer)
    for use in USES
    for layer in (keras.layers.GRU, keras.layers.SimpleRNN, stack)
    if use != "initial state" and not (layer is stack and ("bidirectional" in use or "both" in use))
]


@pairwise
@each_format
@pytest.mark.parametrize(("use", "layer"), OTHERS)
def test_other_recurrent_layers_leave_too(name, use, layer, tmp_path):
    build, padded, _ = USES[use]
    write, file, _ = FORMATS[name]
    report = write(model_of(build, layer), tmp_path / file, inputs=examples(padded))
    assert not [op for op in report.operators if op.startswith("Flex")]
    assert report.operators["Loop"] == 0
    assert report.max_abs_error < 2e-6


@each_format
def test_recurrence_over_images_leaves_too(name, tmp_path):
    write, file, _ = FORMATS[name]
    inputs = keras.Input((5, 8, 3))
    model = keras.Model(inputs, keras.layers.ConvLSTM1D(4, 3, return_sequences=True)(inputs))
    x = np.random.default_rng(0).normal(size=(2, 5, 8, 3)).astype("float32")
    report = write(model, tmp_path / file, inputs=x)
    assert not [op for op in report.operators if op.startswith("Flex")]
    assert report.max_abs_error < 2e-6


def scan_bodies(path) -> list[onnx.GraphProto]:
    nodes = onnx.load(path).graph.node
    return [a.g for n in nodes if n.op_type == "Scan" for a in n.attribute if a.name == "body"]


@pytest.mark.parametrize("use", USES)
def test_what_onnx_cannot_say_is_a_small_scan(use, tmp_path):
    build, padded, _ = USES[use]
    layer = partial(LSTM, cell_clip=0.5, coupled_gates=True)
    report = export.to_onnx(model_of(build, layer), tmp_path / "m.onnx", inputs=examples(padded))
    check(report, "LSTM", True)
    assert report.operators["Loop"] == 0
    bodies = scan_bodies(report.path)
    assert len(bodies) == (2 if use == "stacked" or "bidirectional" in use or "both" in use else 1)
    assert all(len(body.node) < 25 for body in bodies)


def test_only_a_loop_is_left_of_a_loop(tmp_path):
    """No counters, no lists: a product for all steps, what makes the zeros to begin with, and the cell."""
    model = model_of(lambda L, x: L(5)(x), keras.layers.SimpleRNN)
    report = export.to_onnx(model, tmp_path / "m.onnx")
    (body,) = scan_bodies(report.path)
    assert [n.op_type for n in body.node if n.op_type != "Identity"] == ["MatMul", "Add", "Add", "Tanh"]
    assert len(body.output) == 2  # no sequence, for nothing reads it
    assert report.operators["MatMul"] == 2


@pairwise
@each_format
@pytest.mark.parametrize("right_padded", [False, True])
@pytest.mark.parametrize("layer", [LSTM, keras.layers.LSTM, keras.layers.GRU])
def test_what_is_masked_may_be_anything(name, right_padded, layer, tmp_path):
    write, file, _ = FORMATS[name]
    x, valid = keras.Input((7, 4), name="x"), keras.Input((7,), dtype="bool", name="valid")
    infinite = keras.ops.reciprocal(x)  # of zero, where masked
    model = keras.Model([x, valid], layer(5, return_sequences=True)(infinite, mask=valid))
    inputs = {"x": examples(False), "valid": np.arange(7) < [[7], [3], [1], [0]]}
    inputs["x"][~inputs["valid"]] = 0
    report = write(model, tmp_path / file, inputs=inputs, right_padded=right_padded)
    assert report.max_abs_error < 2e-6


@each_format
@pytest.mark.parametrize("layer", [LSTM, keras.layers.LSTM], ids=["ours", "keras"])
def test_a_model_leaves_from_where_there_is_a_gpu(name, layer, tmp_path, monkeypatch):
    """With a GPU Keras traces cuDNN's operator, which no converter knows."""
    write, file, operator = FORMATS[name]
    model = model_of(USES["bidirectional"][0], layer)
    cudnn.simulate(monkeypatch)
    check(write(model, tmp_path / file, inputs=examples(False)), operator, False)


# What stands around the LSTMs of a stream.
STREAMED = {
    "one layer": lambda x: LSTM(5, return_sequences=True)(x),
    "stacked, a feature in front, a head": lambda x: keras.layers.Dense(2)(
        LSTM(3)(
            LSTM(5, return_sequences=True)(
                keras.layers.Dense(6, "relu")(keras.layers.Normalization(mean=1.0, variance=2.0)(x))
            )
        )
    ),
    "variant": lambda x: LSTM(5, return_sequences=True, **EVERYTHING)(x),
    "keras": lambda x: keras.layers.LSTM(5, return_sequences=True)(x),
}


@pairwise
@each_format
@pytest.mark.parametrize("chunk", [True, 3])
@pytest.mark.parametrize("model", STREAMED)
def test_a_stream_is_the_whole_sequence(name, model, chunk, tmp_path):
    write, file, _ = FORMATS[name]
    streamed = model_of(lambda _, x: STREAMED[model](x), None)
    report = write(streamed, tmp_path / file, inputs=examples(False), step=chunk)
    assert report.max_abs_error < 2e-6
    assert not [op for op in report.operators if op.startswith("Flex")]
    assert report.fused is (name == "onnx" and model != "variant")
    assert "WHILE" not in report.operators
    stream, x = Stream(open_engine(report.path)), examples(False)[:1]
    step = int(chunk)
    for _ in range(2):  # the second time after a reset
        for t in range(0, 6, step):
            (found,) = stream.push({"x": x[:, t : t + step]}).values()
        whole = streamed.call(x[:, :6]).numpy()
        np.testing.assert_allclose(found, whole[:, -step:] if whole.ndim == 3 else whole, atol=2e-6)
        stream.reset()


@each_format
def test_what_cannot_be_streamed_is_refused(name, tmp_path):
    write, file, _ = FORMATS[name]
    with pytest.raises(InputError, match="backwards in time"):
        write(model_of(USES["bidirectional"][0], LSTM), tmp_path / file, step=True)
    with pytest.raises(InputError, match="no LSTM"):
        write(model_of(lambda L, x: keras.layers.Dense(2)(x), None), tmp_path / file, step=True)
    with pytest.raises(InputError, match="two chunks"):
        write(model_of(USES["last"][0], LSTM), tmp_path / file, step=8)
    with pytest.raises(InputError, match="does not run on 1 of its steps"):
        write(model_of(lambda L, x: L(5)(keras.layers.Reshape((7, 4))(x)), LSTM), tmp_path / file, step=True)
    pooled = model_of(lambda L, x: keras.layers.GlobalMaxPooling1D()(L(5, return_sequences=True)(x)), LSTM)
    with pytest.raises(export.ParityError):
        write(pooled, tmp_path / file, inputs=examples(False), step=True)
    assert list(tmp_path.iterdir()) == []


# What the integer kernels do not compute as the float ones: the check refuses it.
NOT_IN_INTEGERS = {"relu", "everything"}


def quantized_model(build=None, **arguments) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((20, 4), name="x")
    hidden = (build or (lambda L, x: L(32, return_sequences=True, **arguments)(x)))(LSTM, inputs)
    return keras.Model(inputs, [keras.layers.Dense(3)(h) for h in keras.tree.flatten(hidden)])


def series(batch: int, seed: int, padded: bool = False) -> np.ndarray:
    x = np.random.default_rng(seed).uniform(-2, 2, size=(batch, 20, 4)).astype("float32")
    for row in range(batch if padded else 0):
        x[row, (20, 7, 1, 13)[row % 4] :] = 0
    return x


@pytest.mark.parametrize("kind", ["dynamic", "int8"])
@pytest.mark.parametrize("variant", [v for v, (_, loops) in VARIANTS.items() if "tflite" not in loops])
def test_tflite_operators_quantized(variant, kind, tmp_path):
    model, path = quantized_model(**VARIANTS[variant][0]), tmp_path / "m.tflite"
    data = {"inputs": series(4, 1), "representative_data": series(100, 2)}
    if kind == "int8" and variant in NOT_IN_INTEGERS:
        with pytest.raises(export.ParityError):
            export.to_tflite(model, path, quantize=kind, **data)
        return
    report = export.to_tflite(model, path, quantize=kind, **data)
    assert report.fused
    assert report.size_bytes < export.to_tflite(model, tmp_path / "float.tflite").size_bytes
    assert 1e-5 < report.max_abs_error < report.tolerance


@pytest.mark.parametrize("kind", ["dynamic", "int8", "int16x8"])
@pytest.mark.parametrize("padded", [False, True])
def test_tflite_chunks_quantized(padded, kind, tmp_path):
    model = quantized_model(lambda L, x: L(32, return_sequences=True)(MASK()(x) if padded else x))
    data = {"inputs": series(4, 1, padded), "representative_data": series(100, 2, padded)}
    report = export.to_tflite(model, tmp_path / "m.tflite", quantize=kind, step=4, **data)
    assert "WHILE" not in report.operators
    assert 1e-5 < report.max_abs_error < report.tolerance


def test_a_long_chunk_is_a_loop(tmp_path):
    x = np.random.default_rng(0).normal(size=(2, 80, 4)).astype("float32")
    model, path = (
        model_of(lambda L, x: L(5, return_sequences=True)(x), LSTM, time=None),
        tmp_path / "m.tflite",
    )
    assert "WHILE" in export.to_tflite(model, path, step=33, inputs=x).operators
    with pytest.raises(InputError, match=r"no loops.* at most 32 steps"):
        export.to_tflite(model, path, step=33, inputs=x, quantize="int8")


@pytest.mark.parametrize("kind", ["dynamic", "int8", "int16x8"])
@pytest.mark.parametrize("variant", ["plain", "peephole", "layer norm", "projection", "coupled gates"])
def test_tflite_steps_quantized(variant, kind, tmp_path):
    model, path = quantized_model(**VARIANTS[variant][0]), tmp_path / "m.tflite"
    data = {"inputs": series(4, 1), "representative_data": series(100, 2)}
    if (variant, kind) == ("layer norm", "int16x8"):
        with pytest.raises(InputError, match="SquaredDifference only supports"):
            export.to_tflite(model, path, quantize=kind, step=True, **data)
        assert list(tmp_path.iterdir()) == []
        return
    report = export.to_tflite(model, path, quantize=kind, step=True, **data)
    assert 1e-5 < report.max_abs_error < report.tolerance


@pytest.mark.parametrize("kind", ["dynamic", "int8"])
@pytest.mark.parametrize("use", USES)
def test_tflite_uses_quantized(use, kind, tmp_path):
    build, padded, loops = USES[use]
    model, path = quantized_model(build), tmp_path / "m.tflite"
    data = {"inputs": series(4, 1, padded), "representative_data": series(100, 2, padded)}
    if kind == "int8" and "tflite" in loops:
        with pytest.raises(InputError, match="no loops"):
            export.to_tflite(model, path, quantize=kind, right_padded=padded, **data)
        return
    report = export.to_tflite(model, path, quantize=kind, right_padded=padded, **data)
    assert report.fused is ("tflite" not in loops)
    assert 1e-5 < report.max_abs_error < report.tolerance


@pytest.mark.parametrize("variant", [v for v, (_, loops) in VARIANTS.items() if "tflite" in loops])
def test_tflite_loops_quantized(variant, tmp_path):
    model, path = quantized_model(**VARIANTS[variant][0]), tmp_path / "m.tflite"
    report = export.to_tflite(model, path, quantize="dynamic", inputs=series(4, 1))
    assert report.max_abs_error < report.tolerance
    with pytest.raises(InputError, match="no loops"):
        export.to_tflite(model, path, quantize="int8", inputs=series(4, 1))


@pytest.mark.parametrize("step", [False, True])
@pytest.mark.parametrize("variant", VARIANTS)
def test_onnx_variants_quantized(variant, step, tmp_path):
    arguments, loops = VARIANTS[variant]
    model = quantized_model(**arguments)
    report = export.to_onnx(model, tmp_path / "m.onnx", quantize="int8", inputs=series(4, 1), step=step)
    assert report.fused is ("onnx" not in loops)
    assert report.operators["DynamicQuantizeLSTM"] == report.fused
    assert 1e-5 < report.max_abs_error < report.tolerance


def test_weights_inside_a_loop_are_quantized_too(tmp_path):
    model = quantized_model(lambda L, x: L(64, layer_norm=True)(x))
    small = export.to_onnx(model, tmp_path / "s.onnx", quantize="int8", inputs=series(4, 1))
    assert small.size_bytes < export.to_onnx(model, tmp_path / "m.onnx", inputs=series(4, 1)).size_bytes / 2


def test_small_onnx_weights_overflow_on_no_processor(tmp_path):
    """Two products of 8 bits do not fit into the 16 in which x86 without VNNI adds them; with 7 they do."""
    report = export.to_onnx(
        quantized_model(lambda L, x: L(16)(x)), tmp_path / "m.onnx", quantize="int8", inputs=series(4, 1)
    )
    stored = [onnx.numpy_helper.to_array(t) for t in onnx.load(report.path).graph.initializer]
    weights = [w for w in stored if w.dtype == np.int8 and w.ndim > 1]
    assert weights
    assert all(w.min() >= -64 and w.max() <= 64 for w in weights)


@pytest.mark.parametrize("use", USES)
def test_onnx_uses_quantized(use, tmp_path):
    build, padded, _ = USES[use]
    report = export.to_onnx(
        quantized_model(build),
        tmp_path / "m.onnx",
        quantize="int8",
        inputs=series(4, 1, padded),
        right_padded=padded,
    )
    assert report.fused
    assert 1e-5 < report.max_abs_error < report.tolerance


@pytest.mark.parametrize("seed", [6, 23])
def test_a_cell_may_reach_further_in_the_middle_than_at_the_end(seed, tmp_path):
    """The calibrator sees the last step alone: the cell was cut off at 1 where it had been 1.3."""
    keras.utils.set_random_seed(seed)
    x = np.random.default_rng(0).normal(size=(30, 10, 3)).astype("float32")
    inputs, layer = keras.Input((10, 3)), LSTM(4)
    model = keras.Model(inputs, layer(inputs))
    assert np.abs(layer.gates(x)["cell"]).max() > 1.2
    report = export.to_tflite(model, tmp_path / "m.tflite", quantize="int8", inputs=x)
    assert report.max_abs_error < 0.3 * report.tolerance


def test_ranges_are_those_of_sequences_that_start_anew(tmp_path):
    """An LSTM that counts: over all examples in a row its cell would reach sixty times as far."""
    model = quantized_model(lambda L, x: L(8, return_sequences=True, name="counter")(x))
    layer, rng = model.get_layer("counter"), np.random.default_rng(0)
    bias = np.repeat([3.0, 6.0, 0.1, 6.0], 8)  # gates open, and a candidate of its own
    layer.set_weights([rng.normal(0, 0.1, (4, 32)), rng.normal(0, 0.01, (8, 32)), bias])
    data = {"inputs": series(4, 1), "representative_data": series(100, 2)}
    report = export.to_tflite(model, tmp_path / "m.tflite", quantize="int8", **data)
    assert report.max_abs_error < report.tolerance


@pytest.mark.parametrize(
    ("name", "kind", "step"),
    [
        ("onnx", "int8", False),
        ("tflite", "dynamic", False),
        ("tflite", "int8", False),
        ("tflite", "int8", True),
    ],
)
def test_a_spectrogram_is_not_quantized(name, kind, step, tmp_path):
    from lstm_apps.features import mel
    from lstm_apps.models.frontend import log_mel

    keras.utils.set_random_seed(0)
    rate, hop = 8000, 64
    spectrogram = mel.LogMel(rate, 2 * hop, hop, bands=10, low=60.0, high=3800.0)
    waveform = keras.Input((20 * hop,), name="waveform")
    x = LSTM(16, return_sequences=True)(log_mel(waveform, spectrogram, [-8.0] * 10, [9.0] * 10))
    model = keras.Model(waveform, keras.layers.Dense(3)(x))
    rng = np.random.default_rng(0)  # from as good as silent to loud
    sound = rng.normal(size=(60, 20 * hop)) * 10 ** rng.uniform(-4, -0.5, (60, 1))
    data = {"inputs": sound[:4].astype("float32")}
    if name == "tflite":
        data["representative_data"] = sound.astype("float32")
    write, file, _ = FORMATS[name]
    report = write(model, tmp_path / file, quantize=kind, step=hop if step else False, **data)
    assert 1e-5 < report.max_abs_error < report.tolerance / 2


def test_what_cannot_be_quantized_is_refused(tmp_path):
    model = quantized_model()
    with pytest.raises(InputError, match="real data"):
        export.to_tflite(model, tmp_path / "m.tflite", quantize="int8")
    with pytest.raises(InputError, match="step=True"):
        export.to_tflite(model, tmp_path / "m.tflite", quantize="int16x8", inputs=series(4, 1))
    with pytest.raises(InputError, match="Unknown quantization"):
        export.to_onnx(model, tmp_path / "m.onnx", quantize="int16x8")
    assert list(tmp_path.iterdir()) == []


def test_an_integer_model_forgets_its_last_call(tmp_path):
    """Zero is not 0 in a quantized state."""
    from ai_edge_litert.interpreter import Interpreter

    path = tmp_path / "m.tflite"
    export.to_tflite(
        quantized_model(), path, quantize="int8", inputs=series(4, 1), representative_data=series(100, 2)
    )
    interpreter = Interpreter(str(path))
    call = interpreter.get_signature_runner()
    first = [next(iter(call(x=series(4, 3)[i : i + 1]).values())).copy() for i in (0, 1, 0)]
    np.testing.assert_array_equal(first[0], first[2])
    interpreter.reset_all_variables()
    np.testing.assert_array_equal(next(iter(call(x=series(4, 3)[:1]).values())), first[0])
