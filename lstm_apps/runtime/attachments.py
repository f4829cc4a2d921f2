"""Binary parts of the preprocessing, such as a vocabulary or an index, as bytes at the end of a model file.

They stand between the model and the seal (`lstm_apps.runtime.seal`), each as one more field of an ONNX model
that no program knows, which Protocol Buffers skip; a FlatBuffer, which a TFLite file is, ignores what follows
it. The metadata name them in this order, with length and SHA-256: so anybody finds them from the end.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from lstm_apps.errors import ModelFileError
from lstm_apps.runtime.seal import LENGTH

_FIELD = 1001  # of ModelProto; ONNX uses those below 30


def table(parts: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """What the metadata say of them."""
    return {
        name: {"bytes": len(part), "sha256": hashlib.sha256(part).hexdigest()} for name, part in parts.items()
    }


def attached(content: bytes, parts: Mapping[str, bytes]) -> bytes:
    """A file, not sealed yet, with `parts` at its end."""
    return content + b"".join(_head(len(part)) + part for part in parts.values())


def read(content: bytes, stored: Mapping[str, Mapping[str, Any]]) -> dict[str, bytes]:
    """The parts of a sealed file that its metadata name; one that is not what it was is a ModelFileError."""
    found = {}
    end = len(content) - LENGTH
    for name, said in reversed(list(stored.items())):
        begin = end - said["bytes"]
        part = content[begin:end]
        if begin < 0 or hashlib.sha256(part).hexdigest() != said["sha256"]:
            raise ModelFileError(f"its part {name!r} is damaged.")
        found[name] = part
        end = begin - len(_head(len(part)))
    return dict(reversed(found.items()))


def _head(length: int) -> bytes:
    """Of a field of so many bytes: number and wire type, then the length."""
    return _varint(_FIELD << 3 | 2) + _varint(length)


def _varint(number: int) -> bytes:
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])
