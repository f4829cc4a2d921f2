"""The plain LSTM over a sequence with a gradient of its own, compiled by XLA.

The gradient by hand, as in Greff et al. (2017), appendix A: with dh and dc what comes back
from step t + 1, and dh already holding the gradient of the output at t,

    dz_o = dh * tanh(c) * o (1 - o)        dc = dc + dh * o * (1 - tanh(c)^2)
    dz_f = dc * c_before * f (1 - f)       dz_i = dc * g * i (1 - i)       dz_g = dc * i * (1 - g^2)
    dh before = dz R^T                     dc before = dc * f

What dh and dc are multiplied by here is known going forward, and is all that is stored. The loop back
makes only this. The gradients of the weights are one product over all steps after it, dW = X^T dZ
and dR = H_before^T dZ, where automatic differentiation would add up a product a step.

It has a gradient in turn, TensorFlow's own of the same equations in a plain loop, so that derivatives of
every order are those of `keras.layers.LSTM`: a penalty on gradients, `tape.jacobian`, eager forward mode.
They take that loop's time. Three things are errors. Forward mode over forward mode, and a Jacobian of a
gradient (a Hessian) without `experimental_use_pfor=False`, need `use_kernel(scan)` and no `tf.function`.
Forward mode inside a `tf.function` is for neither. cuDNN has first derivatives only.
"""

import tensorflow as tf

from lstm_apps.layers.gates import Variant, lstm_gates


def lstm(x, h, c, kernel, recurrent_kernel, bias, mask, training):
    """All hidden states (batch, time, units), last h, last c; h and c pass over steps where `mask`
    (batch, time), if there is one, is False."""

    @tf.custom_gradient
    def outputs(*inputs):
        hidden, last_c, *stored = _constants(_forward(*_unseen(inputs), mask, store=training))

        def gradient(*upstream):
            # Of this graph: one that is made of its gradient later cannot see the graph before.
            valid, *both = (None if t is None else tf.identity(t) for t in (mask, *inputs, *upstream))

            @tf.custom_gradient
            def first(*both):
                now = _unseen(both)
                inputs, upstream = now[:6], now[6:]
                # rarely wanted in inference, where nothing is stored for it
                factors = stored if training else _forward(*inputs, valid, store=True)[2:]
                gradients = _constants(_backward(*inputs, valid, hidden, *factors, *upstream))
                return gradients, lambda *upstream: _second(both[:6], both[6:], valid, upstream)

            return first(*both)

        return (tf.transpose(hidden, [1, 0, 2]), hidden[-1], last_c), gradient

    return outputs(x, h, c, kernel, recurrent_kernel, bias)


def _constants(tensors):
    """What no gradient passes. A tape records what happens inside a custom gradient too, and the gradient of
    a function is made of all that is inside; what XLA has compiled has none."""
    return [tf.stop_gradient(t) for t in tensors]


def _unseen(tensors):
    """`_constants` of what a custom gradient was given. In a graph forward mode takes what is inside for the
    whole: it would find 0, and is told so instead."""
    if not tf.executing_eagerly():
        message = "a forward derivative of this layer inside a tf.function; take it outside of the function"
        tensors = [tf.raw_ops.PreventGradient(input=t, message=message) for t in tensors]
    return _constants(tensors)


def _second(inputs, upstream, mask, upstream_of_gradients):
    """Gradients, by `inputs` and by `upstream`, of what `_backward` returns."""
    if tf.executing_eagerly():
        try:
            return _traced(inputs, upstream, mask, upstream_of_gradients)
        except TypeError as error:  # of TensorFlow, about the type of what its loop stores
            raise ValueError(f"A forward derivative of a forward derivative {_REMEDY}.") from error
    if "loop_body" in tf.compat.v1.get_default_graph().get_name_scope().split("/"):
        raise ValueError(f"A derivative of a gradient that is vectorized, as by `tape.jacobian`, {_REMEDY}.")
    # A function, for a tape does not see into a loop beside it; a new one, for XLA may compile this graph,
    # and cannot compile what was traced for another.
    of_this_graph = tf.function(_gradients_of_gradients, autograph=False)
    return of_this_graph(inputs, upstream, mask, upstream_of_gradients)


_REMEDY = "needs the layer to run inside `with kernels.use_kernel(kernels.scan)`"


def _gradients_of_gradients(inputs, upstream, mask, upstream_of_gradients):
    """TensorFlow's own, of a loop that is not compiled here, so that they have gradients in turn."""
    gradients = tf.gradients(_plain(inputs, mask), inputs, upstream)
    both = [*inputs, *upstream]
    return tf.gradients(gradients, both, upstream_of_gradients, unconnected_gradients="zero")


_traced = tf.function(_gradients_of_gradients, autograph=False)


def _plain(inputs, mask):
    """What `lstm` returns, by the equations."""
    x, h, c, kernel, recurrent_kernel, bias = inputs
    x = tf.transpose(x, [1, 0, 2])
    mask = tf.ones_like(x[..., 0], tf.bool) if mask is None else tf.transpose(mask)

    def step(before, at_t):
        (h, c), (x_t, valid) = before, at_t
        z = tf.matmul(x_t, kernel) + tf.matmul(h, recurrent_kernel)
        now = lstm_gates(z, c, Variant(bias), tf.tanh, tf.sigmoid)
        return tf.where(valid[:, None], now.hidden, h), tf.where(valid[:, None], now.cell, c)

    hidden, cells = tf.scan(step, (x, mask), (h, c))  # (time, batch, units) each
    return tf.transpose(hidden, [1, 0, 2]), hidden[-1], cells[-1]


@tf.function(jit_compile=True, autograph=False)
def _forward(x, h, c, kernel, recurrent_kernel, bias, mask, store):
    """h of every step (time, batch, units), the last c, and with `store` what the gradient needs of
    every step: what turns dh into dc, dc into dc before (time, batch, units each), and dc and dh into
    dz (time, batch, 4, units)."""
    steps, units = tf.shape(x)[1], recurrent_kernel.shape[0]
    both = tf.concat([kernel, recurrent_kernel], axis=0)  # one product a step
    # sigmoid(z) = tanh(z / 2) / 2 + 1 / 2: one tanh for all four, without taking them apart
    half = tf.constant([[0.5], [0.5], [1], [0.5]], x.dtype)

    def step(t, h, c, hidden, *stores):
        z = tf.matmul(tf.concat([x[:, t], h], axis=1), both) + bias
        gates = half * tf.tanh(half * tf.reshape(z, [-1, 4, units])) + (1 - half)
        i, f, g, o = tf.unstack(gates, axis=1)
        new_c = f * c + i * g
        shown = tf.tanh(new_c)
        new_h = o * shown
        h_to_c, c_to_c = o * (1 - shown * shown), f
        to_z = tf.stack([g * i * (1 - i), c * f * (1 - f), i * (1 - g * g), shown * o * (1 - o)], axis=1)
        if mask is not None:
            now = mask[:, t, None]
            new_h, new_c = tf.where(now, new_h, h), tf.where(now, new_c, c)
            h_to_c, c_to_c = tf.where(now, h_to_c, tf.zeros_like(f)), tf.where(now, f, tf.ones_like(f))
            to_z = tf.where(now[..., None], to_z, tf.zeros_like(to_z))
        factors = (h_to_c, c_to_c, to_z)
        written = [array.write(t, value) for array, value in zip(stores, factors, strict=False)]
        return t + 1, new_h, new_c, hidden.write(t, new_h), *written

    begin = [0, h, c, *(tf.TensorArray(x.dtype, steps) for _ in range(4 if store else 1))]
    _, _, c, *stores = tf.while_loop(lambda t, *_: t < steps, step, begin, maximum_iterations=steps)
    hidden, *stored = (array.stack() for array in stores)
    return hidden, c, *stored


def _backward(x, h0, c0, kernel, recurrent_kernel, bias, mask, hidden, h_to_c, c_to_c, to_z, *upstream):
    """Gradients of x, h0, c0, kernel, recurrent kernel and bias."""
    # Turned here: XLA multiplies by a matrix that lies across at half the speed.
    turned = tf.transpose(recurrent_kernel)
    d_h, d_c, d_z = _back_through_time(turned, mask, h_to_c, c_to_c, to_z, *upstream)
    # Large products over all steps at once, which TensorFlow's own kernels do faster than XLA's.
    rows = tf.reshape(d_z, [-1, d_z.shape[-1]])  # (time * batch, 4 * units)
    batch = tf.shape(h0)[0]

    def product(before, rows):
        return tf.matmul(tf.reshape(before, [-1, before.shape[-1]]), rows, transpose_a=True)

    d_x = tf.transpose(tf.matmul(d_z, kernel, transpose_b=True), [1, 0, 2])
    d_kernel = product(tf.transpose(x, [1, 0, 2]), rows)
    d_recurrent = product(h0, rows[:batch]) + product(hidden[:-1], rows[batch:])
    d_bias = tf.matmul(tf.ones([1, tf.shape(rows)[0]], rows.dtype), rows)[0]  # a sum, on all cores
    return d_x, d_h, d_c, d_kernel, d_recurrent, d_bias


@tf.function(jit_compile=True, autograph=False)
def _back_through_time(turned_kernel, mask, h_to_c, c_to_c, to_z, d_outputs, d_h, d_c):
    """Gradients of h0, c0 and of the gates' sums (time, batch, 4 * units)."""
    steps = tf.shape(h_to_c)[0]
    width = turned_kernel.shape[0]
    to_z = tf.ensure_shape(tf.reshape(to_z, [steps, -1, width]), [None, d_h.shape[0], width])

    def step(t, d_h, d_c, d_sums):
        d_h = d_h + d_outputs[:, t]
        d_c = d_c + d_h * h_to_c[t]
        d_z = to_z[t] * tf.concat([d_c, d_c, d_c, d_h], axis=1)
        h_share = tf.matmul(d_z, turned_kernel)
        if mask is not None:
            h_share = tf.where(mask[:, t, None], h_share, d_h)
        return t - 1, h_share, d_c * c_to_c[t], d_sums.write(t, d_z)

    begin = [steps - 1, d_h, d_c, tf.TensorArray(to_z.dtype, steps)]
    _, d_h, d_c, d_sums = tf.while_loop(lambda t, *_: t >= 0, step, begin, maximum_iterations=steps)
    return d_h, d_c, d_sums.stack()
