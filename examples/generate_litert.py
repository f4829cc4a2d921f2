"""Write with a generator, model.tflite with the signatures "encoder" and "decoder", by nothing but LiteRT.

    python generate_litert.py model.tflite BEGIN END TOKEN...

Tokens are numbers: how texts become them is in the file's metadata, under "features".
"""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

interpreter = Interpreter(model_path=sys.argv[1])
encoder, decoder = map(interpreter.get_signature_runner, ("encoder", "decoder"))
begin, end, *source = map(int, sys.argv[2:])
((name, read),) = encoder.get_input_details().items()
padded = np.zeros(read["shape"], np.int32)
padded[0, : len(source)] = source
memory = encoder(**{name: padded})
(token,) = set(decoder.get_input_details()) - set(memory)  # all else comes from the encoder
written = [begin]
while written[-1] != end and len(written) <= 100:
    found = decoder(**{token: np.array([[written[-1]]], np.int32), **memory})
    # An output NAME_next is the next value of the input NAME; the other one is of the tokens.
    memory |= {name.removesuffix("_next"): found.pop(name) for name in list(found) if name.endswith("_next")}
    (logits,) = found.values()
    written.append(int(logits.argmax()))
print(*written[1:])
