"""Run a step model (exported with step=True) chunk by chunk with nothing but onnxruntime."""

import json
import sys

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1])
stored = session.get_modelmeta().custom_metadata_map.get("lstm_apps", "{}")
chunk = json.loads(stored).get("info", {}).get("chunk", 1)  # along the second axis, of a batch of one
shapes = {
    i.name: [d if isinstance(d, int) else chunk if axis == 1 else 1 for axis, d in enumerate(i.shape)]
    for i in session.get_inputs()
}
outputs = [o.name for o in session.get_outputs()]
states = {name: np.zeros(shape, np.float32) for name, shape in shapes.items() if f"{name}_next" in outputs}
for step in range(5):
    sample = {n: np.full(s, step, np.float32) for n, s in shapes.items() if n not in states}
    answer = dict(zip(outputs, session.run(outputs, {**sample, **states}), strict=True))
    states = {name: answer.pop(f"{name}_next") for name in states}
    print(step, {name: values.ravel()[:5] for name, values in answer.items()})
