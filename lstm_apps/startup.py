"""TensorFlow's first import, without what it logs before anybody can tell it not to."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# What TensorFlow 2.20 and 2.21 write while they are imported, before TF_CPP_MIN_LOG_LEVEL is read
# (github.com/tensorflow/tensorflow/issues/100442).
_KNOWN = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog\(\)"
    rb"|[IW]0000 .*\b(port|cudart_stub|cpu_feature_guard)\.cc:"
)


def import_tensorflow() -> None:
    """Import TensorFlow, unless it is already; whatever else is written to stderr meanwhile is kept."""
    if "tensorflow" not in sys.modules:
        with _without_known_lines():
            import tensorflow  # noqa: F401


@contextmanager
def _without_known_lines() -> Iterator[None]:
    """Inside the `with` block the process's stderr goes to a file; after it, all lines but the known ones are
    written. They are C++'s, so `sys.stderr` does not see them."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            kept.seek(0)
            for line in kept:
                if not _KNOWN.match(line):
                    os.write(2, line)
