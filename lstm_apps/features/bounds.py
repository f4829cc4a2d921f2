"""Robust bounds of a series: outliers beyond them are clipped."""

import numpy as np

Bounds = tuple[float, float]

# So many values, and at least two, may lie anywhere without moving the bounds: one in 200 is rarer than a
# peak of an hour a week.
_FEW, _AT_LEAST = 1 / 200, 2
# The bounds are so many times as far from the median as all but the few. A normal series stays within five
# standard deviations for ever and has its bounds at eight, a lognormal one at 38 medians.
_REACH = 3.0
# Markers of missing values: nines (-999, 99.99), limits of integers. They may be
# more than a few. Where such a number is a measurement, it lies among the others and inside their bounds.
_MARKERS = (
    *(float(f"{'9' * whole}.{'9' * part}") for whole in range(2, 10) for part in range(3)),
    *(float(n) for b in (15, 16, 31, 32) for n in (2**b, 2**b - 1)),
)
# Where more than this share of the recent values lies outside, the series itself has moved.
_MOVED = 0.25


def robust_bounds(values: np.ndarray) -> Bounds:
    """Lower and upper bound, as far from the median: `_REACH` times as far as all values but a few.

    Args:
        values: (steps,), NaN where not measured; a few may be anything. At least one is known.

    Returns:
        (lower, upper); the median twice where no more than two values differ from it.
    """
    known = values[~np.isnan(values)]
    regular = known[~np.isin(np.abs(known), _MARKERS)]
    regular = regular if len(regular) else known
    middle = float(np.median(regular))
    distance = np.sort(np.abs(regular - middle))
    few = max(_AT_LEAST, int(_FEW * len(regular)))
    # A series that is nearly always the same, such as counts that are mostly 0, has its own few that differ.
    while few > _AT_LEAST and distance[-1 - few] == 0:
        few = max(_AT_LEAST, few // 2)
    reach = _REACH * float(distance[max(0, len(regular) - 1 - few)])
    return middle - reach, middle + reach


def clip_outliers(values: np.ndarray, bounds: Bounds, recent: int) -> np.ndarray:
    """A series with its outliers set to the bounds they lie beyond.

    A series may grow past the bounds: where over a quarter of the last `recent` values lies outside, they
    stay as they are. The result is causal, except that the first `recent` values are counted together.

    Args:
        values: (steps,) without NaN.
        bounds: See `robust_bounds`.
        recent: Steps of a history.
    """
    outside = (values < bounds[0]) | (values > bounds[1])
    total = np.cumsum(outside)
    count = np.concatenate([total[:recent], total[recent:] - total[:-recent]])
    count[: recent - 1] = count[min(recent, len(values)) - 1]
    return np.where(outside & (count <= _MOVED * recent), np.clip(values, *bounds), values)
