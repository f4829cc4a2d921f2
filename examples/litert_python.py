"""Run model.tflite or model.step.tflite with nothing but ai-edge-litert. Calls do not see each other."""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

interpreter = Interpreter(model_path=sys.argv[1])
# A model of texts has one signature a length; all axes have a size, the batch is 1.
for signature in interpreter.get_signature_list():
    call = interpreter.get_signature_runner(signature)
    states = {name.removesuffix("_next") for name in call.get_output_details() if name.endswith("_next")}
    inputs = {}
    for name, d in call.get_input_details().items():
        value = 0 if name in states else 1 if d["dtype"] == np.int32 else 0.5
        inputs[name] = np.full(d["shape"], value, d["dtype"])
    print(signature, {name: values.shape for name, values in inputs.items()})
    for name, values in call(**inputs).items():
        print(name, list(values.shape), *values.ravel()[:5])
