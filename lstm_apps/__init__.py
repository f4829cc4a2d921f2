"""Train LSTMs on sequence data; ship them as one ONNX or TFLite file. Imports no TensorFlow."""

__version__ = "0.1.0"
