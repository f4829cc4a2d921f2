"""What goes wrong through the input, not through the code."""

import difflib
from collections.abc import Iterable
from pathlib import Path


class InputError(ValueError):
    """The input cannot be used. The message says what is wrong, where, and what to do."""


class ModelFileError(InputError):
    """The file is not a model that the runtime can use."""


class ParityError(RuntimeError):
    """An exported file does not compute what the Keras model computes."""


def near_name(name: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `name` may mean: first of all one that differs in case or spaces only."""
    known = list(known)
    plain = {"".join(k.split()).casefold(): k for k in reversed(known)}
    near = difflib.get_close_matches("".join(name.split()).casefold(), plain, n=1)
    return plain[near[0]] if near else None


def unknown_name(kind: str, name: str, known: Iterable[str]) -> InputError:
    """The error for a name that is not among `known`, with the nearest one as a hint."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known) or 'none'}."
    return InputError(f"Unknown {kind} {name!r}. {hint}")


def first_line(error: Exception) -> str:
    """What an error of another library says first."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def last_line(error: Exception) -> str:
    """What an error of another library says last, after a trace of its own."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]


def naming(path: Path, error: InputError) -> InputError:
    """The error, with the file that it is about in its sentence."""
    return error if str(path) in str(error) else InputError(f"{path}: {error}")
