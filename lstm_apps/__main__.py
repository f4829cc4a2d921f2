"""The command `lstm-apps`, also `python -m lstm_apps`."""

import os
import sys
import warnings

from lstm_apps.errors import InputError, ParityError

_OWN = ("lstm_apps", "training", "export")


def main() -> None:
    """Run the command line. Bad input is one sentence on stderr and exit code 2; an export that does not
    compute what Keras computes is one and exit code 1."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported
    warnings.showwarning = _show_warning
    try:
        from lstm_apps.cli import app

        app()
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in _OWN:
            raise
        sys.exit(
            _fail(f"This command needs more than the runtime ({error}): pip install 'lstm-apps[train]'.")
        )
    except InputError as error:
        sys.exit(_fail(str(error)))
    except OSError as error:  # no right to write there, no room, a file in place of a folder
        sys.exit(_fail(f"{error.filename or 'The file system'}: {error.strerror or error}."))
    except ParityError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    """A warning as a sentence, as errors are."""
    print(f"Note: {message}", file=sys.stderr if file is None else file)


def _fail(sentence: str) -> int:
    print(f"Error: {sentence}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
