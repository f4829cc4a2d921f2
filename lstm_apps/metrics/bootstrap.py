"""A metric, its value, and the interval that the bootstrap gives it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np


@dataclass(frozen=True)
class Metric:
    """A number that says how good predictions are."""

    name: str
    better: Literal["lower", "higher"] | float  # a number: the closer to it the better
    meaning: str

    def beats(self, a: float, b: float) -> bool:
        """Whether `a` is strictly better than `b`."""
        if isinstance(self.better, float):
            return abs(a - self.better) < abs(b - self.better)
        return a < b if self.better == "lower" else a > b


@dataclass(frozen=True)
class Estimate:
    """A metric's value and, where people expect one, its 95 % confidence interval.

    A value that is no finite number is none: `Estimate(None, reason="the test part has no event")`.

    Attributes:
        reason: Why there is no value, a clause without a full stop; empty where there is one.
        draws: Its values over test parts that are drawn anew from the test part, the same for all that are
            scored: so the difference of two has an interval as well. Empty where there are none.
    """

    value: float | None
    interval: tuple[float, float] | None = None
    draws: np.ndarray = field(default_factory=lambda: np.zeros(0), compare=False, repr=False)
    reason: str = ""

    def __post_init__(self) -> None:
        if self.value is not None and np.isfinite(self.value):
            known: dict[str, Any] = {"reason": ""}
        else:
            known = {"value": None, "interval": None, "draws": np.zeros(0)}
            known["reason"] = self.reason or f"it comes out as {self.value}"
        for name, value in known.items():
            object.__setattr__(self, name, value)  # the class is frozen

    @classmethod
    def over(cls, value: float | None, draws: Any, reason: str = "") -> "Estimate":
        """With the interval of its draws, if there are any; those that are no numbers do not count.
        `reason` is told if `value` is no number."""
        draws = np.asarray(draws, float)
        draws = np.where(np.isfinite(draws), draws, np.nan)
        if np.isnan(draws).all():
            return cls(value, reason=reason)
        low, high = np.nanquantile(draws, [0.025, 0.975])
        return cls(value, (float(low), float(high)), draws, reason)


Scores = dict[str, Estimate]  # by metric name


def proportion(right: np.ndarray) -> Estimate:
    """The share of True in an array, with Wilson's interval; none of an empty one."""
    from scipy.stats import binomtest

    if not len(right):
        return Estimate(None, reason="the test part has no case that counts")
    interval = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    draws = [right[chosen].mean() for chosen in resamples(len(right))]
    return Estimate(float(right.mean()), (float(interval.low), float(interval.high)), np.array(draws))


def resamples(size: int, times: int = 1000) -> Iterator[np.ndarray]:
    """Cases drawn with replacement from `size` of them, (size,), the same each time that one asks."""
    rng = np.random.default_rng(0)
    return (rng.integers(size, size=size) for _ in range(times))
