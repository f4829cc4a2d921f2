"""TensorFlow's first import, and importing this package."""

import subprocess
import sys

import pytest

import lstm_apps


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout, done.stderr


@pytest.mark.slow
def test_the_first_import_of_tensorflow_logs_nothing():
    out, err = python(
        "from lstm_apps import startup; startup.import_tensorflow(); "
        "import sys; print('keras' in sys.modules)"
    )
    assert (out, err) == ("True\n", "")


def test_whatever_else_is_written_meanwhile_is_kept():
    code = """if True:
    import os, sys
    from lstm_apps.startup import _without_known_lines
    with _without_known_lines():
        os.write(2, b"I0000 00:00:1.2 3 port.cc:153] oneDNN custom operations are on.\\n")
        os.write(2, b"E0000 00:00:1.2 3 cuda.cc:1] no memory\\n")
        print("a warning", file=sys.stderr)
    print("after", file=sys.stderr)
    """
    assert python(code)[1] == "E0000 00:00:1.2 3 cuda.cc:1] no memory\na warning\nafter\n"


def test_what_is_written_is_kept_when_the_import_fails():
    code = """if True:
    import os
    from lstm_apps.startup import _without_known_lines
    try:
        with _without_known_lines():
            os.write(2, b"libcudart is broken\\n")
            raise ImportError
    except ImportError:
        os.write(2, b"failed\\n")
    """
    assert python(code)[1] == "libcudart is broken\nfailed\n"


def test_importing_the_package_and_its_names_imports_no_tensorflow():
    code = (
        "import lstm_apps, sys; lstm_apps.load; lstm_apps.applications(); print('tensorflow' in sys.modules)"
    )
    assert python(code)[0] == "False\n"
    assert "train" in dir(lstm_apps)
    with pytest.raises(AttributeError, match="no attribute 'tran'"):
        getattr(lstm_apps, "tran")  # noqa: B009
