"""Parses numbers: grouped digits, decimal commas, markers of missing values."""

import math
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.tables.dialect import PLAIN, Dialect
from lstm_apps.features.tables.where import row

# As pandas has them, and those of statistics offices and weather services.
_MISSING = {
    "", "?", "-", "--", "---", ".", "..", "...", "na", "n/a", "n.a.", "#n/a", "#n/a n/a", "#na", "<na>",
    "nan", "-nan", "null", "none", "nil", "nat", "missing", "1.#qnan", "-1.#ind", "1.#ind", "\u2013",
    "\u2014",
}  # fmt: skip
_SPACES = re.compile(r"(?<=\d)[ '\u2019\u00a0\u2009\u202f](?=\d{3}(?!\d))")  # between groups of digits
_GROUPED = {
    decimal: re.compile(
        rf"[+-]?(?:[1-9]\d{{0,2}}(?:\{group}\d{{3}})+|\d+)?(?:\{decimal}\d*)?(?:[eE][+-]?\d+)?"
    ).fullmatch
    for decimal, group in ((".", ","), (",", "."))
}


def is_missing(cell: Any, markers: Sequence[str] = ("?",)) -> bool:
    """Whether a cell is missing: empty, NaN, one of `markers` or, if there are any, of the common ones."""
    if isinstance(cell, str):
        return not cell.strip() or (bool(markers) and cell.strip().lower() in {*_MISSING, *markers})
    # NAType is of pandas, which need not be here.
    return (
        cell is None
        or type(cell).__name__ in ("NAType", "NaTType")
        or (isinstance(cell, float) and math.isnan(cell))
        or (isinstance(cell, np.datetime64) and bool(np.isnat(cell)))
    )


def parse_numbers(
    cells: Sequence[Any] | np.ndarray, column: str, where: str, dialect: Dialect = PLAIN
) -> np.ndarray:
    """Cells as float64 (cells,), NaN where missing: empty, "?", "NA" and the like, or a marker of `dialect`.

    Raises:
        InputError: Text or infinity, by its row; or an ambiguous sign, as in 1,234.
    """
    return read_numbers(cells, column, where, dialect)[0]


def read_numbers(
    cells: Sequence[Any] | np.ndarray, column: str, where: str, dialect: Dialect
) -> tuple[np.ndarray, str | None]:
    """As `parse_numbers`, and the decimal sign where it was detected."""
    decimal = None
    kind = cells.dtype.kind if isinstance(cells, np.ndarray) else "O"
    if kind == "M":
        raise InputError(f"{where}: {column!r} holds times, expected numbers.")
    if kind in "fiu":
        values = np.array(cells, np.float64)
    else:
        values, decimal = _from_objects(list(cells), column, where, dialect)
    for marker in dialect.missing:
        number = _number(marker)
        if number is not None:
            values[values == number] = np.nan
    if np.isinf(values).any():
        i = int(np.isinf(values).argmax())
        raise InputError(f"{row(where, i)}: {column!r} is infinite, expected a number.")
    return values, decimal


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None


def _from_objects(cells: list, column: str, where: str, dialect: Dialect) -> tuple[np.ndarray, str | None]:
    points = dialect.decimal != "," and _decimal_by_separator(True, where) == "."  # 1.234 is one and decimals
    if points and not {bool, np.bool_} & set(map(type, cells)):
        try:
            return np.array(cells, object).astype(np.float64), None
        except (ValueError, TypeError):
            pass
    markers = {*_MISSING, *(m.strip().lower() for m in dialect.missing)}
    values = np.full(len(cells), np.nan)
    texts, places, counted = [], [], Counter[str]()
    for i, cell in enumerate(cells):
        if isinstance(cell, str):
            text = cell.strip()
            if text.lower() in markers:
                counted[text] += 1
            else:
                texts.append(text)
                places.append(i)
        elif isinstance(cell, bool | np.bool_):
            raise _no_number(row(where, i), column, cell)
        elif not is_missing(cell):
            try:
                values[i] = float(cell)
            except (ValueError, TypeError, OverflowError) as error:
                raise _no_number(row(where, i), column, cell) from error
    unmeasured = {text: n for text, n in counted.items() if text not in ("", "?") and text.lower() != "nan"}
    if unmeasured:
        marks = ", ".join(f"{n} of {text!r}" for text, n in unmeasured.items())
        warnings.warn(f"{where}: cells of {column!r} that count as not measured: {marks}.", stacklevel=4)
    values[places], decimal = _from_text(texts, places, column, where, dialect.decimal)
    return values, decimal


def _from_text(
    texts: list[str], places: list[int], column: str, where: str, decimal: str | None
) -> tuple[np.ndarray, str | None]:
    joined = "\n".join(texts)
    plain = texts
    if any(sign in joined for sign in "\u2212 '\u2019\u00a0\u2009\u202f"):
        plain = [_SPACES.sub("", text.replace("\u2212", "-")) for text in texts]
    dots, commas = "." in joined, "," in joined
    fits = [d for d, matches in _GROUPED.items() if all(map(matches, plain))]
    if len(fits) == 2 and (dots or commas):
        if decimal is None:
            decimal = _decimal_by_separator(dots, where)
        if decimal is None:
            i = next(i for i, t in enumerate(plain) if "," in t or "." in t)
            raise InputError(
                f"{row(where, places[i])}: {column!r} is {texts[i]!r}, which may be a thousand as well as "
                "one and decimals, and so may all others: say which by --decimal , or --decimal ."
            )
        fits = [decimal]
    if not fits:
        found = {d: [*map(matches, plain)] for d, matches in _GROUPED.items()}
        best = max(found, key=lambda d: sum(map(bool, found[d])))
        i = next(i for i, matched in enumerate(found[best]) if not matched)
        raise _no_number(row(where, places[i]), column, texts[i])
    decimal = fits[0] if dots or commas else None
    if decimal == ",":
        warnings.warn(f"{where}: {column!r} has decimal commas.", stacklevel=5)
        plain = [t.replace(".", "").replace(",", ".") for t in plain]
    elif commas:
        warnings.warn(f"{where}: commas in {column!r} group digits (1,000 is a thousand).", stacklevel=5)
        plain = [t.replace(",", "") for t in plain]
    values = np.empty(len(plain))
    try:
        values[:] = np.array(plain, object).astype(np.float64)
    except ValueError as error:  # a lone sign
        i = next(i for i, t in enumerate(plain) if _number(t) is None)
        raise _no_number(row(where, places[i]), column, texts[i]) from error
    return values, decimal


def _decimal_by_separator(dots: bool, where: str) -> str | None:
    """The decimal sign of 1.234, or of 1,234, by the separator of fields: with commas between fields it is a
    point."""
    separator = getattr(where, "separator", "")
    if dots:
        return "." if separator in (",", "\t", "") else None
    return "." if separator == "," else None


def _no_number(place: str, column: str, cell: Any) -> InputError:
    cell = cell.item() if isinstance(cell, np.generic) else cell
    units = (
        " without a unit" if isinstance(cell, str) and re.search(r"\d\s*[^\d\s]+$|^[^\d\s+-]", cell) else ""
    )
    return InputError(f"{place}: {column!r} is {cell!r}, expected a number{units}.")
