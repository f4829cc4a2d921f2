"""Options of `predict`, such as the lead of an ECG: declared by the features, given by the user."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lstm_apps.errors import InputError, unknown_name


@dataclass(frozen=True)
class Option:
    """An option of `predict`: a keyword in Python, `--name VALUE` on the command line.

    Attributes:
        type: str, int, float or bool; a bool is `--name` or `--no-name`.
        help: What it does, in a few words.
        many: Whether it may be given several times: its value is then a tuple.
    """

    type: type
    help: str
    many: bool = False


Options = Mapping[str, Option]


def checked(options: Options, given: Mapping[str, Any]) -> dict[str, Any]:
    """Check names and types of values given in Python; None means "not given" and is left out.

    Raises:
        InputError: A name that is not among `options`, or a value of another type.
    """
    for name in given:
        if name not in options:
            raise unknown_name("option", name, options)
    return {name: _value(name, options[name], v) for name, v in given.items() if v is not None}


def parsed(options: Options, words: Sequence[str]) -> dict[str, Any]:
    """Parse words of a command line: `--name value`, `--name=value`, `--flag`, `--no-flag`.

    Raises:
        InputError: A word that is no option, an unknown one, one without its value or of another type.
    """
    found: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        if not word.startswith("--"):
            raise InputError(f"{word!r} is not expected here: options look like --name VALUE.")
        name, equals, text = word[2:].partition("=")
        name = name.replace("-", "_")
        if name.startswith("no_") and _is_flag(options, name[3:]):
            found[name[3:]] = False
        elif _is_flag(options, name) and not equals:
            found[name] = True
        elif name not in options:
            raise unknown_name("option", name, options)
        else:
            value = _parsed(word, options[name], text if equals else _next(word, rest))
            found[name] = (*found.get(name, ()), value) if options[name].many else value
    return found


def _is_flag(options: Options, name: str) -> bool:
    return name in options and options[name].type is bool


def _next(word: str, rest: Iterator[str]) -> str:
    text = next(rest, None)
    if text is None:
        raise InputError(f"{word} needs a value.")
    return text


def _parsed(word: str, option: Option, text: str) -> Any:
    try:
        if option.type is bool:
            return {"true": True, "false": False}[text.lower()]
        return option.type(text)
    except (ValueError, KeyError) as error:
        raise InputError(f"{word} takes {_NAMES[option.type]}, got {text!r}.") from error


_NAMES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def _value(name: str, option: Option, value: Any) -> Any:
    if option.many:
        values = value if isinstance(value, list | tuple) else (value,)
        return tuple(_one(name, option, v) for v in values)
    return _one(name, option, value)


def _one(name: str, option: Option, value: Any) -> Any:
    if option.type is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if option.type is str and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)  # as on a command line: lead=0
    if not isinstance(value, option.type) or (option.type is not bool and isinstance(value, bool)):
        raise InputError(f"{name} takes {_NAMES[option.type]}, got {value!r}.")
    return value
