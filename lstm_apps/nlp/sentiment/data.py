"""Scored sentences in a table."""

import gzip
import json
import math
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lstm_apps.errors import InputError, first_line
from lstm_apps.features.tables.dialect import PLAIN, Dialect
from lstm_apps.features.tables.numbers import is_missing
from lstm_apps.features.tables.table import open_table
from lstm_apps.features.tables.where import row as place_of
from lstm_apps.nlp.sentiment.features import check_text, is_read

LAYOUT = (
    "CSV, Excel or Parquet with a header, JSON lines or a JSON array: a column of texts, one of scores "
    "from -4 to 4, of stars (whole numbers from 1 to 5, or to 10) or of labels (positive, neutral, negative; "
    "pos, neg; 1, 0 or true, false where there is nothing else), and, if there is one, a column of the "
    "documents they are from, and one of weights (a text of less than 1 is only to learn from)"
)
_LABELS = {"positive": 2.0, "pos": 2.0, "neutral": 0.0, "negative": -2.0, "neg": -2.0}
_MOST_STARS = 5, 10
_BINARY = ("0", "1"), ("0.0", "1.0"), ("false", "true")  # where there is nothing else


@dataclass(frozen=True)
class Sentence:
    """A sentence and its score by people."""

    text: str
    score: float  # -4, most negative, to 4, most positive
    document: str  # its source; a key of the text itself if that is not known
    weight: float = 1.0  # in training

    @property
    def is_plain(self) -> bool:
        """Whether it is clearly positive or negative: |score| of 0.5 or more."""
        return abs(self.score) >= 0.5


def read_sentences(path: Path, columns: Mapping[str, str], dialect: Dialect = PLAIN) -> list[Sentence]:
    """The sentences of a table, without empty ones.

    Args:
        path: See `LAYOUT`; may be compressed by gzip.
        columns: The names of the columns "text" and "target", and of "document" and "weight",
            which may be missing.
        dialect: How the table is written.

    Raises:
        InputError: No table, a missing column, a bad score, weight or text, or no text at all.
    """
    is_json = path.name.removesuffix(".gz").endswith((".jsonl", ".json"))
    rows = list(_json_rows(path) if is_json else _table_rows(path, columns, dialect))
    for where, row in rows:
        for role in ("text", "target"):
            if not isinstance(row, dict) or columns[role] not in row:
                raise InputError(f"{where}: there is no column {columns[role]!r}; expected {LAYOUT}.")
            if row[columns[role]] is None:
                raise InputError(f"{where}: nothing stands in column {columns[role]!r}.")
    target = columns["target"]
    labels = [str(row[target]).strip().lower() for _, row in rows]
    if any({*labels} == {*pair} for pair in _BINARY):
        rows = [
            (n, {**row, target: "negative" if label in {pair[0] for pair in _BINARY} else "positive"})
            for (n, row), label in zip(rows, labels, strict=True)
        ]
    stars = _stars([label for _, row in rows if (label := str(row[target]).strip())])
    if stars:
        warnings.warn(
            f"{path}: all scores are whole numbers from 1 to {stars}: they are taken as stars, 1 as -4, "
            f"{(1 + stars) / 2:g} as 0 and {stars} as 4.",
            stacklevel=2,
        )
    found = []
    for where, row in rows:
        document = row.get(columns["document"])
        text = " ".join(str(row[columns["text"]]).split())
        try:
            check_text(text)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
        if is_read(text):
            found.append(
                Sentence(
                    text,
                    _score(row[target], where, stars),
                    _key(text) if document in (None, "") else str(document),
                    _weight(row.get(columns["weight"]), where),
                )
            )
    if left_out := len(rows) - len(found):
        warnings.warn(f"{path}: {left_out} empty text(s) are left out.", stacklevel=2)
    if not found:
        raise InputError(f"{path} holds no text; expected {LAYOUT}.")
    return found


def _key(text: str) -> str:
    """A key that near copies of a text share: its first letters and digits."""
    return "".join(c for c in text.lower() if c.isalnum())[:60] or text


def _stars(labels: Sequence[str]) -> int | None:
    """The most stars, where all labels are numbers of stars: 1 to 5, or 1 to 10; else None."""
    try:
        found = {float(label) for label in labels}
    except ValueError:
        return None
    whole = len(found) > 1 and all(f.is_integer() and f >= 1 for f in found)
    return next((most for most in _MOST_STARS if whole and max(found) == most), None)


def _score(value: object, where: str, stars: int | None) -> float:
    label = str(value).strip().lower()
    if label in _LABELS:
        return _LABELS[label]
    try:
        score = float(label)
    except ValueError:
        raise InputError(f"{where}: {value!r} is no score and none of {', '.join(_LABELS)}.") from None
    if stars:
        return 8 * (score - 1) / (stars - 1) - 4
    if not -4 <= score <= 4:
        raise InputError(
            f"{where}: the score {value} is not between -4, negative, and 4, positive; stars are known where "
            f"all scores are whole numbers from 1 to {' or to '.join(map(str, _MOST_STARS))}."
        )
    return score


def _weight(value: object, where: str) -> float:
    if value in (None, ""):
        return 1.0
    try:
        weight = float(str(value))
    except ValueError:
        weight = math.nan
    if not 0 <= weight < math.inf:
        raise InputError(f"{where}: the weight {value!r} is no number from 0.")
    return weight


def _table_rows(path: Path, columns: Mapping[str, str], dialect: Dialect) -> Iterator[tuple[str, dict]]:
    """Place and cells of each row; an empty cell of Excel or Parquet is None."""
    needed = (columns["text"], columns["target"])
    table = open_table(path, needed, dialect)
    table.check(needed, lambda _: f"Expected {LAYOUT}.")
    wanted = [*needed, *(columns[r] for r in ("document", "weight") if columns[r] in table.header)]
    for number, cells in enumerate(zip(*(table.column(name).tolist() for name in wanted), strict=True)):
        plain = (c if isinstance(c, str) or not is_missing(c) else None for c in cells)
        yield place_of(table.where, number), dict(zip(wanted, plain, strict=True))


def _json_rows(path: Path) -> Iterator[tuple[str, dict]]:
    """Place and fields of each row."""
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    content = path.read_bytes()
    try:
        text = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode("utf-8-sig")
        if text.lstrip().startswith("["):
            rows = json.loads(text)
        else:
            rows = map(json.loads, filter(str.strip, text.split("\n")))
        for number, row in enumerate(rows, 1):
            yield f"{path}, row {number}", row
    except (OSError, EOFError, RecursionError, ValueError, zlib.error) as error:
        raise InputError(f"{path} is no table of texts: {first_line(error)}") from error
