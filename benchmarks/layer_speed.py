"""A layer's training step and its inference: ours, Keras's (graph and XLA) and PyTorch's.

Training is forward and the gradients of inputs and weights. Milliseconds, the best of several readings.
Ours and Keras's are measured turn by turn in one process, PyTorch's (where it is installed) in its own.
The floor is the time of the matrix products alone at this machine's measured rate of single precision.
Memory is what a process's peak grows by in the first training steps over a long sequence.
Prints tables on stderr and JSON on stdout; nothing else should run meanwhile.
"""

import json
import math
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SHAPES = [(32, 100, 64, 128), (64, 200, 32, 64), (128, 50, 128, 256), (16, 400, 40, 256), (8, 1000, 12, 96)]
LONG = (8, 5000, 64, 128)  # of the memory
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


def keras_calls(
    batch: int, steps: int, features: int, units: int, training: bool
) -> dict[str, Callable[[], object]]:
    import keras
    import numpy as np
    import tensorflow as tf

    from lstm_apps.layers import LSTM, kernels

    x = tf.constant(np.random.default_rng(0).normal(size=(batch, steps, features)), tf.float32)

    def call(layer, jit: bool) -> Callable[[], object]:
        layer.build(x.shape)

        @tf.function(jit_compile=jit)
        def train(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = tf.reduce_sum(layer(x, training=True) ** 2)
            return tape.gradient(loss, [x, *layer.trainable_variables])

        @tf.function(jit_compile=jit)
        def infer(x):
            with kernels.use_kernel(kernels.compiled):
                return [layer(x)]

        return lambda: [t.numpy() for t in (train if training else infer)(x)]

    plain = {"return_sequences": True, "use_cudnn": False}
    return {
        "ours": call(LSTM(units, return_sequences=True), False),
        "keras, graph": call(keras.layers.LSTM(units, **plain), False),
        "keras, XLA": call(keras.layers.LSTM(units, **plain), True),
    }


def torch_call(batch: int, steps: int, features: int, units: int, training: bool) -> Callable[[], object]:
    import torch

    torch.set_num_threads(os.cpu_count() or 1)
    layer = torch.nn.LSTM(features, units, batch_first=True)
    x = torch.randn(batch, steps, features, requires_grad=training)

    def train() -> None:
        layer.zero_grad()
        x.grad = None
        (layer(x)[0] ** 2).sum().backward()

    def infer() -> None:
        with torch.inference_mode():
            layer(x)

    return train if training else infer


def torch_times() -> list[list[float]]:
    return [
        [best({"torch": torch_call(*s, training)})["torch"] for s in SHAPES] for training in (True, False)
    ]


def grown_megabytes(name: str) -> float:
    """What two training steps over a long sequence add to this process's peak."""
    if name == "torch":
        call = torch_call(*LONG, True)
        torch_call(1, 2, 3, 4, True)()
    else:
        keras_calls(1, 2, 3, 4, True)[name]()
        call = keras_calls(*LONG, True)[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    call()
    call()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def elsewhere(*arguments: str):
    """The JSON that this script prints in another process; None where it fails, as without torch."""
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def gflops() -> float:
    """Measured rate of a large single-precision product."""
    import tensorflow as tf

    a = tf.random.normal((1024, 1024))
    return 2 * 1024**3 / best({"product": lambda: tf.matmul(a, a).numpy()})["product"] / 1e6


def geometric_mean(ratios: list[float]) -> float:
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def table(training: bool, torch: list[float] | None, rate: float) -> dict:
    rows = []
    for i, shape in enumerate(SHAPES):
        batch, steps, features, units = shape
        row = {"shape": "x".join(map(str, shape)), **best(keras_calls(*shape, training))}
        row["torch"] = torch[i] if torch else None
        # three products (forward, gradient of what came in, gradient of the weights) a step, or one
        products = 3 if training else 1
        row["floor"] = products * 2 * batch * steps * (features + units) * 4 * units / rate / 1e6
        rows.append(row)
        print({k: round(v, 1) if isinstance(v, float) else v for k, v in row.items()}, file=sys.stderr)
    keras_best = [min(r["keras, graph"], r["keras, XLA"]) for r in rows]
    return {
        "rows": rows,
        "ours / keras": geometric_mean([r["ours"] / k for r, k in zip(rows, keras_best, strict=True)]),
        "ours / torch": geometric_mean([r["ours"] / r["torch"] for r in rows]) if torch else None,
        "ours / floor": geometric_mean([r["ours"] / r["floor"] for r in rows]),
    }


def main() -> None:
    if sys.argv[1:] == ["torch"]:
        print(json.dumps(torch_times()))
        return
    if sys.argv[1:2] == ["memory"]:
        print(json.dumps(grown_megabytes(sys.argv[2])))
        return
    torch = elsewhere("torch") or [None, None]
    memory = {n: elsewhere("memory", n) for n in ("ours", "keras, graph", "keras, XLA", "torch")}
    print({"MB": memory}, file=sys.stderr)
    rate = gflops()
    result = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {rate:.0f} GFLOP/s in single precision",
        "training": table(True, torch[0], rate),
        "inference": table(False, torch[1], rate),
        "memory of " + "x".join(map(str, LONG)): memory,
    }
    print(json.dumps(result, indent=1, allow_nan=False))


if __name__ == "__main__":
    main()
