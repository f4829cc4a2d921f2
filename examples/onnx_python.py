"""Run model.onnx with nothing but onnxruntime (and the numpy it brings)."""

import json
import sys

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1])
about = json.loads(session.get_modelmeta().custom_metadata_map.get("lstm_apps", "{}"))
print(about.get("info", {}).get("summary", "a model without metadata"))
# An axis with a name in place of a size is free: the batch, perhaps the time.
inputs = {}
for i in session.get_inputs():
    shape = [d if isinstance(d, int) else 1 for d in i.shape]
    inputs[i.name] = np.full(shape, 1, np.int32) if "int" in i.type else np.full(shape, 0.5, np.float32)
for output, values in zip(session.get_outputs(), session.run(None, inputs), strict=True):
    print(output.name, values.shape, values.ravel()[:5])
