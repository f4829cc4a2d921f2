"""Run model.tflite with nothing but ai-edge-litert. Calls do not see each other."""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

call = Interpreter(model_path=sys.argv[1]).get_signature_runner("serving_default")
inputs = {
    name: np.full(d["shape"], 1 if d["dtype"] == np.int32 else 0.5, d["dtype"])
    for name, d in call.get_input_details().items()
}
for name, values in call(**inputs).items():
    print(name, values.shape, values.ravel()[:5])
