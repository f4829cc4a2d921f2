"""The step of a regular time series: seconds, calendar months or business days."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lstm_apps.errors import InputError

_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_DAY, _WEEK, _YEAR = 86400, 604800, 365.2425 * 86400
_CALENDAR = "M", "ME", "B"
_MOST = 10**6  # units a step


@dataclass(frozen=True)
class Frequency:
    """`count` units a step; the unit is "s" (seconds), "M" (calendar months), "ME" (calendar months, of which
    the last day stands for each) or "B" (business days, Monday to Friday)."""

    count: int
    unit: str = "s"

    @classmethod
    def parse(cls, text: str) -> "Frequency":
        """Parse "15min", "1h", "1d", "1w", "30s", "1M", "1ME" or "1B"; an InputError for anything else."""
        digits = text.rstrip("abcdefghijklmnopqrstuvwxyzMEB ")
        unit = text[len(digits) :].strip()
        count = digits.strip() or "1"
        if not count.isdigit() or not 0 < int(count) < _MOST or unit not in (*_UNITS, *_CALENDAR):
            known = ", ".join((*_UNITS, *_CALENDAR))
            raise InputError(f"{text!r} is no time step; write a number and one of {known}: 15min.")
        return cls(int(count), unit) if unit in _CALENDAR else cls(int(count) * _UNITS[unit])

    @classmethod
    def infer(cls, times: np.ndarray) -> "Frequency":
        """The step of ascending `times` (datetime64[s]): the commonest distance between them.

        Raises:
            InputError: Some distance is not a whole number of steps.
        """

        def all_are(kind: Callable[[np.ndarray], bool]) -> bool:
            return kind(times[:50]) and kind(times)  # a few exclude most kinds quickly

        if all_are(_ends_of_months):
            return cls(_commonest(np.diff(_months(times)), times, "months"), "ME")
        if all_are(_same_day_of_months):
            return cls(_commonest(np.diff(_months(times)), times, "months"), "M")
        if all_are(_business_days):
            return cls(1, "B")
        return cls(_commonest(np.diff(times.astype(np.int64)), times, "seconds"))

    @property
    def seconds(self) -> float:
        """The length of a step in seconds; a month counts as a twelfth of a year, a business day as a fifth
        of a week."""
        return self.count * {"s": 1.0, "B": _WEEK / 5}.get(self.unit, _YEAR / 12)

    def steps_between(self, start: np.datetime64, times: np.ndarray) -> np.ndarray:
        """How many steps each of `times` (times,) is after `start`: int64 (times,)."""
        if self.unit == "B":
            return np.busday_count(start.astype("datetime64[D]"), times.astype("datetime64[D]")) // self.count
        kind = "datetime64[s]" if self.unit == "s" else "datetime64[M]"
        distance = (times.astype(kind) - start.astype(kind)).astype(np.int64)
        return distance // self.count

    def shift(self, start: np.datetime64, steps: np.ndarray | int) -> np.ndarray:
        """The times `steps` steps after `start`, as datetime64[s]."""
        count = np.asarray(steps, np.int64) * self.count
        if self.unit == "s":
            return start.astype("datetime64[s]") + count.astype("timedelta64[s]")
        if self.unit == "B":
            day = start.astype("datetime64[D]")
            clock = start.astype("datetime64[s]") - day.astype("datetime64[s]")
            return np.busday_offset(day, count, roll="forward").astype("datetime64[s]") + clock
        month = start.astype("datetime64[M]")
        within = start.astype("datetime64[s]") - month.astype("datetime64[s]")
        months = month + count.astype("timedelta64[M]")
        # Of a month without such a day, its last one.
        last = (months + 1).astype("datetime64[D]") - months.astype("datetime64[D]") - np.timedelta64(1, "D")
        clock = within % np.timedelta64(_DAY, "s")
        if self.unit == "ME":
            return months.astype("datetime64[s]") + last.astype("timedelta64[s]") + clock
        return months.astype("datetime64[s]") + np.minimum(within, last.astype("timedelta64[s]") + clock)

    def seasons(self) -> tuple[int, ...]:
        """The seasonal periods in steps, shortest first.

        Business days: the week. Below a day: the two shortest of hour (from 12 steps on), day and
        week. A day up to a week: the week, where it is a whole number of steps. Otherwise the year.

        Raises:
            InputError: A short step that divides neither day nor week.
        """
        if self == Frequency(1, "B"):
            return (5,)
        if self.seconds <= _DAY / 4:
            found = [
                int(period // self.seconds)
                for period, least in ((3600, 12), (_DAY, 4), (_WEEK, 4))
                if period % self.seconds == 0 and period / self.seconds >= least
            ]
            if not found:
                raise InputError(
                    f"A step of {self} divides neither day nor week; resample with --step, "
                    "for instance --step 1h."
                )
            return tuple(found[:2])
        if _WEEK % self.seconds == 0 and _WEEK / self.seconds >= 4:
            return (int(_WEEK // self.seconds),)
        return (max(2, round(_YEAR / self.seconds)),)

    def __str__(self) -> str:
        if self.unit != "s":
            return f"{self.count}{self.unit}"
        unit = next(u for u in ("w", "d", "h", "min", "s") if self.count % _UNITS[u] == 0)
        return f"{self.count // _UNITS[unit]}{unit}"


def _months(times: np.ndarray) -> np.ndarray:
    """Since 1970."""
    return times.astype("datetime64[M]").astype(np.int64)


def _ends_of_months(times: np.ndarray) -> bool:
    days = times.astype("datetime64[D]")
    clocks = (times - days.astype("datetime64[s]")).astype(np.int64)
    months = _months(times)
    ends = (days + 1).astype("datetime64[M]").astype(np.int64) > months
    return len(times) > 1 and bool(ends.all()) and np.ptp(clocks) == 0 and np.diff(months).min() > 0


def _same_day_of_months(times: np.ndarray) -> bool:
    months = _months(times)
    day_and_clock = times - months.astype("datetime64[M]").astype("datetime64[s]")
    return len(times) > 1 and np.ptp(day_and_clock.astype(np.int64)) == 0 and np.diff(months).min() > 0


def _business_days(times: np.ndarray) -> bool:
    """Whether times (rows,) are most days from Monday to Friday, and no others."""
    days = times.astype("datetime64[D]")
    steps = np.diff(days.astype(np.int64))
    return bool(
        len(times) > 5
        and np.ptp((times - days.astype("datetime64[s]")).astype(np.int64)) == 0
        and np.is_busday(days).all()
        and steps.min() > 0
        and days[-1] - days[0] >= np.timedelta64(7, "D")
        and (steps == 1).mean() > 0.5
    )


def _commonest(distances: np.ndarray, times: np.ndarray, unit: str) -> int:
    step = int(distances[0])
    if (distances == step).all():
        return step
    values, counts = np.unique(distances, return_counts=True)
    step = int(values[counts.argmax()])
    odd = np.flatnonzero(distances % step)
    if len(odd):
        first = odd[0]
        monthly = unit == "seconds" and step >= 28 * _DAY
        raise InputError(
            f"The times are irregular: the commonest step is {step} {unit}, but {len(odd)} of "
            f"{len(distances)} distances are no multiple of it, first after {times[first]}. "
            f"Resample with --step, for instance --step {'1M' if monthly else '1h'}."
        )
    return step
