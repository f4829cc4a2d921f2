"""A training step of one layer: ours, Keras's (graph and XLA) and PyTorch's.

Forward and the gradients of inputs and weights, in milliseconds, the best of several readings. Ours and
Keras's are measured turn by turn in one process, PyTorch's (where it is installed) in its own. The floor
is the time of the step's matrix products alone at this machine's measured rate of single precision.
Prints a table on stderr and JSON on stdout; nothing else should run meanwhile.
"""

import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SHAPES = [(32, 100, 64, 128), (64, 200, 32, 64), (128, 50, 128, 256), (16, 400, 40, 256), (8, 1000, 12, 96)]
READINGS = 7


def best(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Milliseconds of each call, the best of `READINGS` turns."""
    for call in calls.values():
        call()
        call()
    times: dict[str, float] = dict.fromkeys(calls, math.inf)
    for _ in range(READINGS):
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            times[name] = min(times[name], (time.perf_counter() - begin) * 1e3)
    return times


def keras_steps(batch: int, steps: int, features: int, units: int) -> dict[str, Callable[[], object]]:
    import keras
    import numpy as np
    import tensorflow as tf

    from lstm_apps.layers import LSTM

    x = tf.constant(np.random.default_rng(0).normal(size=(batch, steps, features)), tf.float32)

    def step(layer, jit: bool) -> Callable[[], object]:
        layer.build(x.shape)

        @tf.function(jit_compile=jit)
        def run(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = tf.reduce_sum(layer(x, training=True) ** 2)
            return tape.gradient(loss, [x, *layer.trainable_variables])

        return lambda: [g.numpy() for g in run(x)]

    plain = {"return_sequences": True, "use_cudnn": False}
    return {
        "ours": step(LSTM(units, return_sequences=True), False),
        "keras, graph": step(keras.layers.LSTM(units, **plain), False),
        "keras, XLA": step(keras.layers.LSTM(units, **plain), True),
    }


def torch_times() -> list[float]:
    import torch

    torch.set_num_threads(os.cpu_count() or 1)
    found = []
    for batch, steps, features, units in SHAPES:
        layer = torch.nn.LSTM(features, units, batch_first=True)
        x = torch.randn(batch, steps, features, requires_grad=True)

        def step(layer=layer, x=x):
            layer.zero_grad()
            x.grad = None
            (layer(x)[0] ** 2).sum().backward()

        found.append(best({"torch": step})["torch"])
    return found


def gflops() -> float:
    """Measured rate of a large single-precision product."""
    import tensorflow as tf

    a = tf.random.normal((1024, 1024))
    return 2 * 1024**3 / best({"product": lambda: tf.matmul(a, a).numpy()})["product"] / 1e6


def geometric_mean(ratios: list[float]) -> float:
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def main() -> None:
    if "--torch" in sys.argv:
        print(json.dumps(torch_times()))
        return
    done = subprocess.run([sys.executable, __file__, "--torch"], capture_output=True, text=True)
    torch = json.loads(done.stdout) if done.returncode == 0 else [None] * len(SHAPES)
    rate = gflops()
    rows = []
    for shape, torch_ms in zip(SHAPES, torch, strict=True):
        batch, steps, features, units = shape
        row = {"shape": "x".join(map(str, shape)), **best(keras_steps(*shape)), "torch": torch_ms}
        # three products (forward, gradient of what came in, gradient of the weights) a step
        row["floor"] = 3 * 2 * batch * steps * (features + units) * 4 * units / rate / 1e6
        rows.append(row)
        print({k: round(v, 1) if isinstance(v, float) else v for k, v in row.items()}, file=sys.stderr)
    keras_best = [min(r["keras, graph"], r["keras, XLA"]) for r in rows]
    summary = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {rate:.0f} GFLOP/s in single precision",
        "ours / keras": geometric_mean([r["ours"] / k for r, k in zip(rows, keras_best, strict=True)]),
        "ours / torch": geometric_mean([r["ours"] / r["torch"] for r in rows]) if torch[0] else None,
        "ours / floor": geometric_mean([r["ours"] / r["floor"] for r in rows]),
    }
    print(json.dumps({"rows": rows, **summary}, indent=1))


if __name__ == "__main__":
    main()
