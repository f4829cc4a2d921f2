"""Take the vocabulary of a text model out of its file, with nothing but what runs the file.

    python vocabulary_python.py model.onnx vocabulary.model    # needs onnxruntime
    python vocabulary_python.py model.tflite vocabulary.model  # needs ai-edge-litert

What is written is a SentencePiece model, for its libraries for C++, Python, JavaScript, Swift and others.
`sentencepiece.SentencePieceProcessor(model_file="vocabulary.model").encode("A text.")` gives the numbers that
the model's input "tokens" takes, int32, padded at the end with 0.
"""

import base64
import json
import sys


def metadata(path):
    """What the file says of itself."""
    if path.endswith(".onnx"):
        import onnxruntime

        stored = onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map
        return json.loads(stored["lstm_apps"])
    from ai_edge_litert import schema_py_generated as schema

    with open(path, "rb") as file:
        model = schema.Model.GetRootAs(file.read(), 0)
    for entry in map(model.Metadata, range(model.MetadataLength())):
        if entry.Name() == b"lstm_apps":
            return json.loads(bytes(model.Buffers(entry.Buffer()).DataAsNumpy()))
    raise SystemExit(f"{path} has no metadata of lstm-apps.")


features = metadata(sys.argv[1])["features"]
if "sentencepiece" not in features:
    raise SystemExit(f"{sys.argv[1]} reads no text: it has no vocabulary.")
with open(sys.argv[2], "wb") as file:
    print(file.write(base64.b64decode(features["sentencepiece"])), "bytes")
print("lengths in tokens, of which a text is padded to the next:", features["lengths"])
