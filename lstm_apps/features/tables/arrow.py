"""Columns of Parquet and of pyarrow."""

import json
from typing import Any

import numpy as np

from lstm_apps.features.tables.dates import begins_of_periods

_NEVER = np.iinfo(np.int64).min


def is_arrow(column: Any) -> bool:
    """Whether it is an array of pyarrow."""
    return type(column).__module__.startswith("pyarrow")


def arrow_cells(column: Any) -> np.ndarray:
    """The cells (rows,): numbers, datetime64 in UTC, or objects."""
    import pyarrow

    if pyarrow.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pyarrow.types.is_timestamp(kind):
        return column.cast(pyarrow.timestamp("s"), safe=False).to_numpy()
    if pyarrow.types.is_date(kind):
        return column.cast(pyarrow.timestamp("s")).to_numpy()
    if pyarrow.types.is_decimal(kind):
        column = column.cast(pyarrow.float64())
    return column.to_numpy()


def without_periods(field: Any, column: Any) -> Any:
    """A column of a Parquet file; pandas' periods, which it stores as numbers, are times again."""
    said = field.metadata or {}
    name = getattr(field.type, "extension_name", said.get(b"ARROW:extension:name", b"").decode())
    if name != "pandas.period":
        return column
    step = getattr(field.type, "freq", None) or json.loads(said[b"ARROW:extension:metadata"])["freq"]
    counts = column.cast("int64").fill_null(_NEVER).to_numpy()
    return begins_of_periods(counts, step)
