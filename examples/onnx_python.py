"""Run model.onnx or model.step.onnx with nothing but onnxruntime (and the numpy it brings)."""

import json
import sys

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1])
about = json.loads(session.get_modelmeta().custom_metadata_map.get("lstm_apps", "{}")).get("info", {})
print(about.get("summary", "a model without metadata"))
outputs = [o.name for o in session.get_outputs()]
inputs = {}
for i in session.get_inputs():
    # An axis with a name in place of a size is open: the first is the batch, another the time, of which the
    # metadata name a size: of a step file its chunk, else that of the examples the file was checked with.
    usual = about.get("inputs", {}).get(i.name, i.shape)
    time = about.get("chunk") or (usual[1] if len(usual) > 1 and isinstance(usual[1], int) else 1)
    shape = [d if isinstance(d, int) else time if axis == 1 else 1 for axis, d in enumerate(i.shape)]
    kind = np.int32 if i.type == "tensor(int32)" else np.float32
    is_state = f"{i.name}_next" in outputs  # of a step file, where it begins
    inputs[i.name] = np.full(shape, 0 if is_state else 1 if kind is np.int32 else 0.5, kind)
for name, values in zip(outputs, session.run(None, inputs), strict=True):
    print(name, list(values.shape), *values.ravel()[:5])
