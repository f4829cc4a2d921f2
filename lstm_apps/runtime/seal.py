"""A file that says whether it is whole: SHA-256 over all that comes before it, at the file's end.

The seal is one more `metadata_props` entry of an ONNX model, written as its Protocol Buffers bytes: a
message may be continued by appending fields. A FlatBuffer, which a TFLite file is, ignores what
follows it. So the same bytes serve both, and every other program reads the file as if they were not there.
"""

import hashlib

from lstm_apps.errors import ModelFileError

KEY = b"lstm_apps_sha256"
_HEX = 64
_ENTRY = b"\x0a" + bytes([len(KEY)]) + KEY + b"\x12" + bytes([_HEX])
_START = b"\x72" + bytes([len(_ENTRY) + _HEX]) + _ENTRY  # field 14 of ModelProto
LENGTH = len(_START) + _HEX


def sealed(content: bytes) -> bytes:
    """The file with its seal at the end."""
    return content + _START + _digest(content)


def check_seal(content: bytes) -> bool:
    """Whether a file has a seal; one that does not fit is a ModelFileError."""
    if content[-LENGTH:-_HEX] != _START:
        return False
    if content[-_HEX:] != _digest(content[:-LENGTH]):
        raise ModelFileError("the file is damaged: it is not what was exported.")
    return True


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
