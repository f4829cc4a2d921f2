"""Write with a generator, model.encoder.onnx and model.decoder.onnx, by nothing but onnxruntime.

    python generate_onnx.py model.encoder.onnx model.decoder.onnx BEGIN END TOKEN...

Tokens are numbers: how texts become them is in the file's metadata, under "features".
"""

import sys

import numpy as np
import onnxruntime

encoder, decoder = map(onnxruntime.InferenceSession, sys.argv[1:3])
begin, end, *source = map(int, sys.argv[3:])
(read,) = encoder.get_inputs()
padded = np.zeros((1, read.shape[1] if isinstance(read.shape[1], int) else len(source)), np.int32)
padded[0, : len(source)] = source
memory = dict(
    zip([o.name for o in encoder.get_outputs()], encoder.run(None, {read.name: padded}), strict=True)
)
(token,) = (i.name for i in decoder.get_inputs() if i.name not in memory)  # all else comes from the encoder
outputs = [o.name for o in decoder.get_outputs()]
written = [begin]
while written[-1] != end and len(written) <= 100:
    found = dict(
        zip(outputs, decoder.run(None, {token: np.array([[written[-1]]], np.int32), **memory}), strict=True)
    )
    # An output NAME_next is the next value of the input NAME; the other one is of the tokens.
    memory |= {name.removesuffix("_next"): found.pop(name) for name in outputs if name.endswith("_next")}
    (logits,) = found.values()
    written.append(int(logits.argmax()))
print(*written[1:])
