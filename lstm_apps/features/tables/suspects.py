"""Suspicious numbers: markers of missing values, typing errors."""

import warnings

import numpy as np

from lstm_apps.features.tables.where import row

# Evenly spaced values that suffice to measure the spread.
_ENOUGH = 100_000
# Distance from the median, in units of `_spread`, beyond which a value is suspicious.
_FAR = 20
_SHOWN = 3


def warn_suspects(values: np.ndarray, column: str, where: str) -> None:
    """Warn of numbers that look like a marker, such as -999, and of those far from all others.

    Args:
        values: (rows,) float64, NaN where nothing was measured.
        column: For messages.
        where: For messages.
    """
    known = values[~np.isnan(values)]
    if len(known) < 20:
        return
    marker = next((m for m in (float(known.min()), float(known.max())) if _looks_like_marker(m, known)), None)
    if marker is not None:
        rows = np.flatnonzero(values == marker)
        warnings.warn(
            f"{row(where, rows[0])}: {column!r} is {marker:g}, in {len(rows)} row(s), apart from all other "
            f"values: if it stands for a missing one, say so: --missing {marker:.15g}.",
            stacklevel=3,
        )
        known = known[known != marker]
    spread = _spread(known)
    far = np.abs(values - np.median(known)) > _FAR * spread
    rows = np.flatnonzero(far & (values != marker))
    if spread > 0 and len(rows):
        shown = "; ".join(f"{row(where, i)}: {values[i]:.15g}" for i in rows[:_SHOWN])
        warnings.warn(
            f"{len(rows)} value(s) of {column!r} are more than {_FAR} times as far from the median, "
            f"{np.median(known):g}, as others: {shown}. If one is an error, empty its cell or say "
            f"--missing {values[rows[0]]:.15g}.",
            stacklevel=3,
        )


def _spread(known: np.ndarray) -> float:
    """The distance between the quartiles, or half of that between the 5th and the 95th hundredth."""
    some = known[:: max(1, len(known) // _ENOUGH)]
    low, first, third, high = np.quantile(some, [0.05, 0.25, 0.75, 0.95])
    return max(float(third - first), float(high - low) / 2)


def _looks_like_marker(value: float, known: np.ndarray) -> bool:
    """Whether an extreme value is far from the others and either a common marker or repeated."""
    others = known[known != value]
    if not len(others):
        return False
    gap = float(np.abs(others - value).min())
    spread = _spread(others)
    count = len(known) - len(others)
    nines = abs(value) >= 9 and set(f"{abs(value):.0f}") == {"9"} and value == round(value)
    limits = abs(value) in (32767, 32768, 65535, 2147483647, 2147483648) or abs(value) > 1e30
    return (gap > spread / 2 and (nines or limits)) or (count > 2 and gap > 3 * spread > 0)
