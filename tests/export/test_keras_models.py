"""Models of the kinds that people build with Keras: each answers in its file as in Keras."""

from functools import partial

import keras
import numpy as np
import pytest
from small_models import FORMS, each_form

import export
from lstm_apps.layers import LSTM
from lstm_apps.runtime.engines import open_engine

K, ops = keras.layers, keras.ops
each_lstm = pytest.mark.parametrize("lstm", [LSTM, K.LSTM], ids=["ours", "keras"])


def answers(write, file, model, tmp_path, *, data=None, fused=None, **how):
    """The report of an export whose file was run on inputs that it was not checked on."""
    rng = np.random.default_rng(3)
    shapes = {t.name: (2, *(7 if s is None else s for s in t.shape[1:])) for t in model.inputs}
    inputs = data or {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}
    opened = {"inputs": {n: a[:1] for n, a in inputs.items()}} if write is FORMS[1][0] else {}
    report = write(model, tmp_path / file, **opened, **how)
    found = open_engine(report.path).run(inputs)
    wanted = model.call(keras.tree.pack_sequence_as(model.input, [inputs[t.name] for t in model.inputs]))
    flat = keras.tree.flatten(wanted)
    names = [f"output_{i}" for i in range(len(flat))] if len(flat) > 1 else ["output"]
    named = wanted if isinstance(wanted, dict) else dict(zip(names, flat, strict=True))
    assert set(found) == set(named)
    for name, tensor in named.items():
        np.testing.assert_allclose(found[name], tensor, atol=3e-6, rtol=1e-5, err_msg=name)
        assert found[name].dtype == keras.ops.convert_to_numpy(tensor).dtype
    assert not [op for op in report.operators if op.startswith("Flex")]
    if fused is not None:
        assert report.fused is fused, report.operators
    return report


ACTIVATIONS = [
    *("celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh"),
    *("leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid"),
    *("silu", "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax"),
    *("squareplus", "tanh", "tanh_shrink"),
]


@each_form
def test_activations(write, file, operator, tmp_path):
    x = keras.Input((6,), name="x")
    outputs = {name: K.Activation(name)(3 * K.Dense(4)(x)) for name in ACTIVATIONS}
    answers(write, file, keras.Model(x, outputs), tmp_path)


FUNCTIONS = {
    "log1p": lambda h: ops.log1p(ops.abs(h)),
    "expm1": ops.expm1,
    "argmax": lambda h: ops.argmax(h, -1),
    "argmin": lambda h: ops.argmin(h, 1, keepdims=True),
    "values of top k": lambda h: ops.top_k(h, 2)[0],
    "indices of top k": lambda h: ops.top_k(h, 2)[1],
    "one hot": lambda h: ops.one_hot(ops.argmax(h, -1), 4),
    "cumulative sum": lambda h: ops.cumsum(h, 1),
    "sorted": lambda h: ops.sort(h, -1),
    "order": lambda h: ops.argsort(h, -1),
    "compared": lambda h: ops.logical_and(h > 0, h < 0.5),
    "any": lambda h: ops.any(h > 1, -1),
    "rounded": lambda h: ops.round(10 * h),
    "integers": lambda h: ops.cast(10 * h, "int32"),
    "long integers": lambda h: ops.cast(10 * h, "int64"),
    "norm": lambda h: ops.norm(h, axis=-1),
    "chosen": lambda h: ops.where(h > 0, h, -2 * h),
    "clipped": lambda h: ops.clip(h, -0.1, 0.1),
    "rotated": lambda h: ops.roll(ops.flip(h, 1), 1, 1),
    "padded": lambda h: ops.pad(h, ((0, 0), (1, 2), (0, 0))),
    "products": lambda h: ops.einsum("btf,bsf->bts", h, h),
    "taken": lambda h: ops.take(h, [0, 2], axis=1),
    "variance": lambda h: ops.var(h, 1),
}


@each_form
def test_functions(write, file, operator, tmp_path):
    x = keras.Input((6, 3), name="x")
    h = K.Dense(4)(x)
    outputs = {name.replace(" ", "_"): function(h) for name, function in FUNCTIONS.items()}
    answers(write, file, keras.Model(x, outputs), tmp_path)


def test_small_numbers_keep_their_digits_in_onnx(tmp_path):
    x = keras.Input((6,), name="x")
    values = np.array([[1e-9, -1e-6, 1e-3, -0.5, 30.0, 0.0]], "float32")
    export.to_onnx(keras.Model(x, {"a": ops.log1p(x), "b": ops.expm1(x)}), tmp_path / "m.onnx", inputs=values)
    found = open_engine(tmp_path / "m.onnx").run({"x": values})
    np.testing.assert_allclose(found["a"], np.log1p(values), rtol=1e-5)
    np.testing.assert_allclose(found["b"], np.expm1(values), rtol=1e-5)


@each_form
def test_convolutions_in_front(write, file, operator, tmp_path):
    x = keras.Input((24, 3), name="x")
    h = K.Conv1D(6, 3, padding="causal", dilation_rate=2, activation="relu")(x)
    h = K.SeparableConv1D(6, 3, padding="same")(h)
    h = K.DepthwiseConv1D(3, depth_multiplier=2)(K.ZeroPadding1D(1)(h))
    h = K.AveragePooling1D(2, padding="same")(K.MaxPooling1D(2)(h))
    h = K.Conv1D(6, 2, strides=2)(K.UpSampling1D(2)(K.Cropping1D(1)(h)))
    h = K.BatchNormalization(moving_mean_initializer="ones")(h)
    model = keras.Model(x, {"last": LSTM(4)(h), "mean": K.GlobalAveragePooling1D()(h)})
    answers(write, file, model, tmp_path, fused=True)


@each_form
def test_pictures_one_by_one(write, file, operator, tmp_path):
    x = keras.Input((4, 8, 8, 1), name="x")
    picture = keras.Sequential([K.Conv2D(3, 3, activation="relu"), K.MaxPooling2D(2), K.Flatten()])
    model = keras.Model(x, K.Dense(2, "softmax")(LSTM(5)(K.TimeDistributed(picture)(x))))
    answers(write, file, model, tmp_path, fused=True)


@each_form
def test_merged_branches(write, file, operator, tmp_path):
    x, y = keras.Input((7, 3), name="x"), keras.Input((7, 2), name="y")
    a, b = LSTM(4)(x), K.LSTM(4)(y)
    kinds = K.Add, K.Subtract, K.Multiply, K.Average, K.Maximum, K.Minimum, K.Concatenate, partial(K.Dot, 1)
    outputs = [kind()([a, b]) for kind in kinds]
    report = answers(write, file, keras.Model([x, y], outputs), tmp_path, fused=True)
    assert report.operators[operator] == 2


@each_form
def test_attention_over_an_lstm(write, file, operator, tmp_path):
    x = keras.Input((6, 3), name="x")
    h, last, _ = LSTM(4, return_sequences=True, return_state=True)(x)
    query = K.Reshape((1, 4))(last)
    outputs = {
        "dot": K.Attention()([query, h]),
        "additive": K.AdditiveAttention()([query, h]),
        "heads": K.MultiHeadAttention(2, 3)(h, h, use_causal_mask=True),
        "grouped": K.GroupQueryAttention(3, 2, 1)(h, h),
    }
    answers(write, file, keras.Model(x, outputs), tmp_path, fused=True)


@each_form
@each_lstm
def test_texts_of_ids(lstm, write, file, operator, tmp_path):
    ids = keras.Input((9,), name="ids")  # Keras's default type is a float
    h = K.SpatialDropout1D(0.2)(K.Embedding(20, 5, mask_zero=True)(ids))
    h = K.Bidirectional(lstm(4, return_sequences=True))(h)
    model = keras.Model(ids, K.Dense(3, "softmax")(K.Dropout(0.5)(lstm(6)(h))))
    data = np.random.default_rng(0).integers(1, 20, (2, 9)).astype("float32")
    data[1, 4:] = 0
    answers(write, file, model, tmp_path, data={"ids": data}, right_padded=True, fused=True)


@each_form
def test_sequence_to_sequence(write, file, operator, tmp_path):
    source, target = keras.Input((None, 3), name="source"), keras.Input((None, 2), name="target")
    _, h, c = LSTM(5, return_state=True)(source)
    decoded = LSTM(5, return_sequences=True)(target, initial_state=[h, c])
    model = keras.Model([source, target], K.Dense(2)(decoded))
    # TFLite's operator keeps its state to itself.
    answers(write, file, model, tmp_path, fused=operator == "LSTM")


@each_form
def test_layers_over_each_step_of_any_number(write, file, operator, tmp_path):
    x = keras.Input((None, 6, 3), name="x")
    h = K.TimeDistributed(K.Bidirectional(LSTM(4)))(x)
    masked = K.TimeDistributed(LSTM(2))(K.TimeDistributed(K.Masking())(x))
    outputs = [K.TimeDistributed(K.Dense(2))(h), K.TimeDistributed(K.BatchNormalization())(masked)]
    report = write(keras.Model(x, outputs), tmp_path / file, inputs=np.ones((1, 5, 6, 3)), right_padded=True)
    assert report.fused or operator != "LSTM"
    answers(write, file, keras.Model(x, outputs), tmp_path, right_padded=True)


@each_form
def test_an_autoencoder(write, file, operator, tmp_path):
    layers = [LSTM(5), K.RepeatVector(7), LSTM(4, return_sequences=True), K.TimeDistributed(K.Dense(3))]
    sequential = keras.Sequential([keras.Input((7, 3), name="x"), K.GaussianNoise(0.1), *layers])
    assert write(sequential, tmp_path / file).fused
    model = keras.Model(sequential.inputs, sequential.outputs)
    answers(write, file, model, tmp_path, fused=True)


@each_form
def test_models_inside_models(write, file, operator, tmp_path):
    inner = keras.Input((6, 3))
    shared = keras.Model(inner, [LSTM(4)(inner), K.GlobalMaxPooling1D()(inner)])
    head = keras.Sequential([K.LayerNormalization(), K.Dense(2)])
    x, y = keras.Input((6, 3), name="x"), keras.Input((6, 3), name="y")
    (a, top), (b, _) = shared(x), shared(y)
    model = keras.Model({"x": x, "y": y}, {"head": head(K.Concatenate()([a, b, top])), "a": a, "again": a})
    report = answers(write, file, model, tmp_path, fused=True)
    assert report.operators[operator] == 2


class Tagger(keras.Model):
    """A subclass of Model with a layer of its own."""

    def __init__(self):
        super().__init__()
        self.lstm = K.Bidirectional(LSTM(4, return_sequences=True))
        self.scale = self.add_weight(shape=(1,), initializer="ones")
        self.tag = K.Dense(3)

    def call(self, x, training=None):
        return ops.softmax(self.scale * self.tag(self.lstm(x, training=training)))


@each_form
def test_a_subclass_of_model_behind_inputs(write, file, operator, tmp_path):
    x = keras.Input((None, 3), name="x")
    answers(write, file, keras.Model(x, Tagger()(x)), tmp_path, fused=True)


@each_form
def test_shapes_and_norms(write, file, operator, tmp_path):
    x = keras.Input((6, 4), name="x")
    h = LSTM(4, return_sequences=True)(K.Reshape((12, 2))(x))
    h = K.Permute((2, 1))(h)
    norms = {
        "layer": K.LayerNormalization()(h),
        "batch": K.BatchNormalization()(h),
        "group": K.GroupNormalization(2)(h),
        "unit": K.UnitNormalization()(h),
        "rms": K.RMSNormalization()(h),
        "flat": K.PReLU()(K.Flatten()(h)),
    }
    answers(write, file, keras.Model(x, norms), tmp_path, fused=True)


@each_form
def test_inputs_that_are_outputs_and_constants(write, file, operator, tmp_path):
    x = keras.Input((3, 2), name="x")
    outputs = {"same": K.Identity()(x), "ones": ops.ones_like(x), "size": ops.shape(x)[1] + 0 * x[:, 0, 0]}
    answers(write, file, keras.Model(x, {**outputs, "last": LSTM(2)(x)}), tmp_path, fused=True)


MERGES = [("concat", True), ("sum", False), ("mul", True), ("ave", False), (None, True)]


@each_form
@pytest.mark.parametrize("layer", [LSTM, K.LSTM, K.GRU, K.SimpleRNN], ids=["ours", "keras", "gru", "rnn"])
def test_both_directions_merged_in_every_way(layer, write, file, operator, tmp_path):
    x = keras.Input((5, 3), name="x")
    plain = layer in (LSTM, K.LSTM)
    outputs = [
        K.Bidirectional(layer(2, return_sequences=sequences), merge_mode=merge)(x)
        for merge, sequences in (MERGES if layer is LSTM else MERGES[:2])
    ]
    if plain:  # another layer backwards, and the states of both
        backwards = layer(3, go_backwards=True, activation="relu")
        outputs += [K.Bidirectional(layer(2), backward_layer=backwards)(x)]
        outputs += K.Bidirectional(layer(2, return_state=True))(x)[:2]
    answers(write, file, keras.Model(x, keras.tree.flatten(outputs)), tmp_path, fused=plain)


SEQUENCES = {"return_sequences": True}
ARGUMENTS = {
    "lstm": (
        K.LSTM,
        [
            {"use_bias": False},
            {"unit_forget_bias": False, "bias_initializer": "normal"},
            {"dropout": 0.2, "recurrent_dropout": 0.3},
            {"unroll": True, "go_backwards": True},
            {"activation": "relu", **SEQUENCES},
            {"return_state": True},
            {"kernel_regularizer": "l2", "recurrent_constraint": "max_norm", "use_cudnn": False},
        ],
    ),
    "gru": (
        K.GRU,
        [
            {},
            {"reset_after": False, **SEQUENCES},
            {"use_bias": False, "go_backwards": True, **SEQUENCES},
            {"activation": "relu", "recurrent_activation": "hard_sigmoid", "unroll": True},
            {"return_state": True, "dropout": 0.1},
        ],
    ),
    "rnn": (K.SimpleRNN, [{}, {"activation": "relu", **SEQUENCES}, {"go_backwards": True, "unroll": True}]),
}


@each_form
@pytest.mark.parametrize("kind", ARGUMENTS)
def test_arguments_of_recurrent_layers(kind, write, file, operator, tmp_path):
    layer, arguments = ARGUMENTS[kind]
    x = keras.Input((5, 3), name="x")
    outputs = []
    for given in arguments:
        made = layer(2, **given)(x)
        outputs.append(made[:2] if isinstance(made, list | tuple) else made)  # last, and h
    answers(write, file, keras.Model(x, keras.tree.flatten(outputs)), tmp_path, fused=kind == "lstm")
