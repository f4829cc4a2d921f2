"""Derivatives of the fused path's own gradient are those of `keras.layers.LSTM`, by whatever way one asks."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lstm_apps.layers import LSTM, kernels

BATCH, TIME, FEATURES, UNITS = 3, 4, 2, 3
MASK = np.array([[1, 1, 1, 0], [0, 1, 0, 1], [1, 1, 1, 1]], bool)


def some(*shape):
    return tf.constant(np.random.default_rng(sum(shape)).normal(size=shape), tf.float32)


@pytest.fixture(autouse=True)
def one_core(request, monkeypatch):
    """Half of what there is to compile; the critics take both halves."""
    if "critic" not in request.node.name:
        monkeypatch.setattr(kernels.os, "cpu_count", lambda: 1)


X, H, C = some(BATCH, TIME, FEATURES), some(BATCH, UNITS), some(BATCH, UNITS) * 0.5


def pair(**arguments):
    """Keras's layer and ours with the same weights."""
    theirs = keras.layers.LSTM(UNITS, use_cudnn=False, **arguments)
    ours = LSTM(UNITS, use_cudnn=False, **arguments)
    for layer in (theirs, ours):
        layer.build(X.shape)
    theirs.set_weights([some(*w.shape).numpy() for w in theirs.get_weights()])
    ours.set_weights(theirs.get_weights())
    return theirs, ours


@pytest.fixture(scope="module")
def layers():
    return pair(return_sequences=True, return_state=True)


@pytest.fixture(scope="module")
def simple():
    return pair()


def loss(layer, x, mask=None, state=None):
    results = tf.nest.flatten(layer(x, mask=mask, initial_state=state, training=True))
    return sum(tf.reduce_sum(tf.sin(r)) for r in results)


def same(found, expected):
    for a, b in zip(tf.nest.flatten(found), tf.nest.flatten(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


def sources(layer):
    return {"x": X, "h": H, "c": C, **{w.name: w.value for w in layer.trainable_variables}}


def penalty_gradient(layer, names, mask=None, watch=False):
    """Of the gradients' squared sum, by what is named; no tape follows anything else unless `watch`."""
    wanted = [sources(layer)[n] for n in names]
    with tf.GradientTape(watch_accessed_variables=watch) as outer:
        outer.watch(wanted)
        with tf.GradientTape(watch_accessed_variables=watch) as inner:
            inner.watch([X, H])
            value = loss(layer, X, mask, [H, C])
        penalty = sum(tf.reduce_sum(g**2) for g in inner.gradient(value, [X, H]))
    return outer.gradient(penalty, wanted)


ALL = ["x", "h", "c", "kernel", "recurrent_kernel", "bias"]


@pytest.mark.parametrize("name", ALL)
def test_a_gradient_penalty_by_one_source_alone(layers, name):
    theirs, ours = layers
    same(penalty_gradient(ours, [name]), penalty_gradient(theirs, [name]))


@pytest.mark.parametrize(("mask", "backwards"), [(None, False), (MASK, True)])
def test_a_gradient_penalty_in_a_function(mask, backwards):
    theirs, ours = pair(return_sequences=True, go_backwards=backwards)
    found = tf.function(lambda: penalty_gradient(ours, ALL, mask, watch=True))()
    same(found, penalty_gradient(theirs, ALL, mask))


@pytest.mark.slow
def test_in_what_xla_compiles_as_a_whole_too(layers):
    theirs, ours = layers
    tf.function(lambda: penalty_gradient(ours, ALL, MASK))()  # XLA cannot compile what this traces
    found = tf.function(lambda: penalty_gradient(ours, ALL, MASK), jit_compile=True)()
    same(found, penalty_gradient(theirs, ALL, MASK))


def twice(layer, function):
    with tf.GradientTape() as outer:
        outer.watch(X)
        with tf.GradientTape() as inner:
            inner.watch(X)
            value = function(X)
        penalty = tf.reduce_sum(inner.gradient(value, X) ** 2)
    return outer.gradient(penalty, [X, *(w.value for w in layer.trainable_variables)])


@pytest.mark.parametrize("mask", [None, MASK])
def test_both_tapes_outside_of_the_function(simple, mask):
    theirs, ours = simple
    inside = tf.function(lambda x: loss(ours, x, mask))
    same(twice(ours, inside), twice(theirs, lambda x: loss(theirs, x, mask)))


@pytest.mark.slow
@pytest.mark.parametrize("wrap", [False, True])
def test_three_times(simple, wrap):
    def thrice(layer):
        with tf.GradientTape() as tape:
            tape.watch(X)
            second = twice(layer, lambda x: loss(layer, x))
            value = sum(tf.reduce_sum(g**2) for g in second)
        return tape.gradient(value, X)

    theirs, ours = simple
    same((tf.function(thrice) if wrap else thrice)(ours), thrice(theirs))


@pytest.mark.slow
@pytest.mark.parametrize("mask", [None, MASK])
def test_forward_mode(simple, mask):
    def forward(layer):
        """The derivative of the output along X, and of its gradient."""
        with tf.autodiff.ForwardAccumulator(X, tf.ones_like(X)) as along:
            with tf.GradientTape() as tape:
                tape.watch(X)
                output = layer(X, mask=mask, training=True)
                value = tf.reduce_sum(tf.sin(output))
            gradients = tape.gradient(value, [X, *layer.trainable_variables])
        return along.jvp([output, *gradients])

    theirs, ours = simple
    same(forward(ours), forward(theirs))


def test_forward_mode_of_a_function(simple):
    def forward(function):
        with tf.autodiff.ForwardAccumulator(X, tf.ones_like(X)) as along:
            output = function(X)
        return along.jvp(output)

    theirs, ours = simple
    found = forward(tf.function(lambda x: ours(x, mask=MASK, training=True)))
    same(found, forward(lambda x: theirs(x, mask=MASK, training=True)))


def test_forward_mode_inside_a_function_is_refused(simple):
    """There TensorFlow looks past a custom gradient; Keras's own loop is refused too."""
    layer = simple[1]

    def of_output():
        with tf.autodiff.ForwardAccumulator(X, tf.ones_like(X)) as along:
            output = layer(X, training=True)
        return along.jvp(output)

    def of_gradient():
        with tf.GradientTape() as tape:
            tape.watch(X)
            output = layer(X, training=True)
        upstream = tf.ones_like(output)
        with tf.autodiff.ForwardAccumulator(upstream, upstream) as along:
            gradient = tape.gradient(output, X, upstream)
        return along.jvp(gradient)

    for function in (of_output, of_gradient):
        with pytest.raises(LookupError, match="outside of the function"):
            tf.function(function, autograph=False)()


@pytest.mark.parametrize("wrap", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_jacobian_and_hessian(simple, wrap):
    def found(layer):
        with tf.GradientTape(persistent=True) as outer:
            outer.watch(X)
            with tf.GradientTape(persistent=True) as inner:
                inner.watch(X)
                output = layer(X, mask=MASK, training=True)
                value = tf.reduce_sum(tf.sin(output))
            gradient = inner.gradient(value, X)
        jacobians = inner.jacobian(output, [X, *layer.trainable_variables])
        hessian = outer.jacobian(gradient, X, experimental_use_pfor=False)
        return [*jacobians, inner.batch_jacobian(output, X), hessian]

    theirs, ours = simple
    same((tf.function(found) if wrap else found)(ours), found(theirs))


def test_what_tensorflow_cannot_vectorize_names_the_remedy(simple):
    layer = simple[1]

    def hessian():
        with tf.GradientTape() as outer:
            outer.watch(X)
            with tf.GradientTape() as inner:
                inner.watch(X)
                value = loss(layer, X)
            gradient = inner.gradient(value, X)
        return outer.jacobian(gradient, X)

    with pytest.raises(ValueError, match="experimental_use_pfor") as raised:
        hessian()
    assert "use_kernel(kernels.scan)" in str(raised.value.__cause__)
    with kernels.use_kernel(kernels.scan):
        assert hessian().shape == (*X.shape, *X.shape)


@pytest.mark.slow
def test_forward_of_forward_names_the_remedy(simple):
    def forward(layer):
        with tf.autodiff.ForwardAccumulator(X, tf.ones_like(X)) as outer:
            with tf.autodiff.ForwardAccumulator(X, tf.ones_like(X)) as inner:
                value = loss(layer, X)
            first = inner.jvp(value)
        return outer.jvp(first)

    theirs, ours = simple
    with pytest.raises(ValueError, match=r"use_kernel\(kernels.scan\)"):
        forward(ours)
    with kernels.use_kernel(kernels.scan):
        same(forward(ours), forward(theirs))


def test_compiled_inference_has_them_too(simple):
    theirs, ours = simple
    with kernels.use_kernel(kernels.compiled):
        found = twice(ours, lambda x: tf.reduce_sum(tf.sin(ours(x))))
    same(found, twice(theirs, lambda x: loss(theirs, x)))


class Critic(keras.Model):
    """Trained on how far its gradient's norm is from 1, as a WGAN-GP's (Gulrajani et al. 2017)."""

    def __init__(self, lstm):
        super().__init__()
        self.lstm, self.out = lstm, keras.layers.Dense(1, kernel_initializer="ones")

    def call(self, x, training=False):
        return self.out(self.lstm(x, training=training))

    def train_step(self, data):
        x = data[0]
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = self(x, training=True)
            norms = tf.norm(inner.gradient(y, x), axis=[1, 2])
            penalty = tf.reduce_mean((norms - 1) ** 2) + tf.reduce_mean(y)
        weights = self.trainable_variables
        self.optimizer.apply_gradients(zip(outer.gradient(penalty, weights), weights, strict=True))
        return {"penalty": penalty}


@pytest.mark.slow
@pytest.mark.parametrize("jit", [False, True])
def test_a_critic_learns_what_keras_own_does(jit):
    weights = []
    x = some(8, TIME, FEATURES).numpy()
    for layer in pair():
        model = Critic(layer)
        model.compile("sgd", jit_compile=jit)
        model.fit(x, np.zeros((8, 1)), batch_size=4, epochs=2, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    same(*weights)
