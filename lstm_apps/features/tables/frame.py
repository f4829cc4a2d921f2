"""DataFrames as people have them. pandas is not imported: a frame brings it."""

from typing import Any


def is_frame(table: Any) -> bool:
    """Whether it is a pandas DataFrame, or works as one."""
    return hasattr(table, "iloc") and hasattr(table, "columns")


def with_index(frame: Any) -> Any:
    """The frame with an index of times, or one that has a name, as its first column.

    An index of numbers without a name says nothing, as after a filter, and is left out; so is one whose name
    a column has.
    """
    index = frame.index
    names = [name for name in index.names if name is not None]
    if not names and getattr(index, "dtype", None) is not None and index.dtype.kind == "M":
        names, frame = ["time"], frame.rename_axis("time")
    if not names or set(names) & set(frame.columns):
        return frame.reset_index(drop=True)
    return frame.reset_index()
