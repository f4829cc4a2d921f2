"""Our exports beside Keras's own `model.export` of the same models, in ONNX Runtime and LiteRT.

One example of 100 steps of 16 features through 64 units, milliseconds, the median of a second of calls; how
the LSTM stands in the file; whether the runtime takes the file at all. Prints a table on stderr and
JSON on stdout; nothing else should run meanwhile.
"""

import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import export
from export import onnx, tflite
from export.runs import latencies
from lstm_apps.layers import LSTM
from lstm_apps.runtime.engines import open_engine

STEPS, FEATURES, UNITS = 100, 16, 64
MODELS = {
    "last": lambda L, x: L(UNITS)(x),
    "stacked": lambda L, x: L(UNITS)(L(UNITS, return_sequences=True)(x)),
    "bidirectional": lambda L, x: keras.layers.Bidirectional(L(UNITS))(x),
    "right-padded": lambda L, x: L(UNITS)(keras.layers.Masking()(x)),
    "GRU": lambda _, x: keras.layers.GRU(UNITS)(x),
    "layer norm": lambda L, x: L(UNITS, layer_norm=True)(x),
}


def model(name: str, layer) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((STEPS, FEATURES), batch_size=1, name="x")
    return keras.Model(inputs, MODELS[name](layer, inputs))


def measured(path: Path, form) -> dict:
    x = {"x": np.random.default_rng(0).normal(size=(1, STEPS, FEATURES)).astype("float32")}
    found = form.operators(path.read_bytes())
    fused = any(found[n] for n in form.FUSED_NAMES) and not any(found[n] for n in form.LOOPS)
    row = {"fused": fused, "operators": sum(found.values()), "kB": round(path.stat().st_size / 1e3)}
    try:
        engine = open_engine(path)
        name = next(iter(engine.inputs))
        return {**row, "ms": round(float(np.median(latencies(engine, {name: x["x"]}))), 3)}
    except Exception as error:
        return {**row, "ms": None, "reason": str(error).splitlines()[-1][:120]}


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in MODELS:
            for kind, form, write in (("onnx", onnx, export.to_onnx), ("litert", tflite, export.to_tflite)):
                path = Path(folder) / f"m{form.ENDING}"
                row = {"model": name, "format": kind}
                write(model(name, LSTM), path, right_padded=name == "right-padded")
                row["ours"] = measured(path, form)
                if name != "layer norm":
                    try:
                        with contextlib.redirect_stdout(io.StringIO()):
                            theirs = model(name, keras.layers.LSTM)
                            theirs(np.zeros((1, STEPS, FEATURES), "float32"))  # or it cannot be exported
                            theirs.export(path, format=kind, verbose=False)
                        row["keras"] = measured(path, form)
                    except Exception as error:
                        row["keras"] = {"ms": None, "reason": str(error).splitlines()[-1][:120]}
                rows.append(row)
                print(row, file=sys.stderr)
    print(json.dumps(rows, indent=1, allow_nan=False))


if __name__ == "__main__":
    main()
