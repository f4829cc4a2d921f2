"""Vital signs hour by hour: what is known at the end of each, and whether a risk can be given."""

from typing import NamedTuple

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.healthcare.vitals.checks import SAME_TIME
from lstm_apps.healthcare.vitals.readings import NAMES, VITALS, Readings

NEEDED = "heart_rate", "map", "spo2"  # without these there is no risk
_HEART_RATE, _MAP, _SPO2 = map(NAMES.index, NEEDED)
_SBP, _DBP = NAMES.index("sbp"), NAMES.index("dbp")
LOW_MAP, LOW_SPO2 = 65.0, 88.0  # below: hypotension, hypoxaemia
GAP = 12 * 3600  # seconds without a reading after which a stay has ended
_MAP_KNOWN = 4  # hours for which a blood pressure counts as known
_LONGEST_SINCE = 24  # hours, the largest value of "hours since"

# Columns: last, lowest and highest value of each vital sign, whether it was measured, hours since.
VALUES = 3 * len(NAMES)
INPUTS: tuple[tuple[str, str], ...] = (  # name and unit of each column
    *((f"{name} {kind}", VITALS[name].unit) for kind in ("last", "lowest", "highest") for name in NAMES),
    *((f"{name} measured in this hour", "0 or 1") for name in NAMES),
    *((f"{name} hours since measured", f"h, at most {_LONGEST_SINCE}") for name in NAMES),
)
COLUMNS = len(INPUTS)

STABLE, LOW, UNKNOWN = "stable", "low now", "too little measured"
_WORDS = {_HEART_RATE: "heart rate", _MAP: "mean arterial pressure", _SPO2: "oxygen saturation"}


class Hour(NamedTuple):
    """What is known at the end of a whole hour of UTC."""

    end: int  # seconds since 1970
    row: np.ndarray  # (COLUMNS,), see INPUTS; NaN where a sign was never measured
    status: str  # STABLE; LOW: hypotension or hypoxaemia already; UNKNOWN: too little is measured
    reason: str  # why there can be no risk, "" of a stable hour
    begins: bool  # the first hour of a stay
    pressures: tuple[tuple[int, float], ...]  # time and mmHg of the mean arterial pressures of this hour
    computed: bool  # whether those are not measured, but of systolic and diastolic pressure


class _MeanPressures:
    """Mean arterial pressures, (systolic + 2 diastolic) / 3, in mmHg. Two readings at most `SAME_TIME` apart
    make a pair; each is used once."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[int, float]] = {}

    def push(self, second: int, vital: int, value: float) -> tuple[int, float] | None:
        """Time (seconds since 1970) and mean pressure, if this reading completes a pair."""
        if vital not in (_SBP, _DBP):
            return None
        self._open[vital] = (second, value)
        if len(self._open) < 2:
            return None
        (before, sbp), (after, dbp) = self._open[_SBP], self._open[_DBP]
        if abs(before - after) > SAME_TIME:
            return None
        self._open.clear()
        return (max(before, after), (sbp + 2 * dbp) / 3) if sbp >= dbp else None


class HourGrid:
    """Turns readings into hours: an hour is complete with the first reading after it. After `GAP` without a
    reading a new stay begins, which knows nothing of the one before.

    An hour without a measured mean arterial pressure gets computed ones, see `_MeanPressures`.
    """

    def __init__(self) -> None:
        self._hour: int | None = None  # its end, in hours since 1970
        self._latest = 0  # reading, seconds since 1970

    def push(self, second: int, vital: int, value: float) -> list[Hour]:
        """Add a reading, in the order of time.

        Args:
            second: Seconds since 1970.
            vital: Position in `NAMES`.
            value: In the unit of `VITALS`.

        Returns:
            The hours that this reading completes.

        Raises:
            InputError: The reading belongs to an hour that is complete already.
        """
        hour = -(-second // 3600)
        complete = []
        if self._hour is not None and second - self._latest > GAP:
            complete, self._hour = self.end(), None
        if self._hour is None:
            self._begin(hour)
        assert self._hour is not None
        self.check(second)
        while self._hour < hour:
            complete.append(self._close())
            self._hour += 1
        self._readings.append((second, vital, value))
        self._latest = max(self._latest, second)
        return complete

    def check(self, second: int) -> None:
        """Raise an InputError if this time (seconds since 1970) is in an hour that is complete already."""
        if self._hour is not None and -(-second // 3600) < self._hour:
            raise InputError(
                f"A reading of {np.datetime64(second, 's')} comes too late: its hour is complete already. "
                "After a wrong time, `reset` begins anew."
            )

    def end(self) -> list[Hour]:
        """Complete the last hour, if there is one; the next reading begins a new stay."""
        if self._hour is None:
            return []
        last = self._close()
        self._hour = None
        return [last]

    def _begin(self, hour: int) -> None:
        self._hour, self._latest, self._first = hour, hour * 3600 - 3600, True
        self._readings: list[tuple[int, int, float]] = []
        self._values = np.full(len(NAMES), np.nan)
        self._since = np.full(len(NAMES), _LONGEST_SINCE)
        self._never = np.ones(len(NAMES), bool)
        self._means = _MeanPressures()

    def _close(self) -> Hour:
        assert self._hour is not None
        self._since = np.minimum(self._since + 1, _LONGEST_SINCE)
        of_hour: dict[int, list[float]] = {}
        pressures, means = [], []
        for second, vital, value in sorted(self._readings, key=lambda r: r[0]):
            of_hour.setdefault(vital, []).append(value)
            if vital == _MAP:
                pressures.append((second, value))
            elif (mean := self._means.push(second, vital, value)) is not None:
                means.append(mean)
        computed = not pressures and bool(means)
        if computed:
            pressures, of_hour[_MAP] = means, [value for _, value in means]
        lowest, highest = self._values.copy(), self._values.copy()
        measured = np.zeros(len(NAMES))
        for vital, values in of_hour.items():
            self._values[vital], lowest[vital], highest[vital] = values[-1], min(values), max(values)
            self._since[vital], measured[vital] = 0, 1
        self._never &= measured == 0
        row = np.concatenate([self._values, lowest, highest, measured, self._since])
        status, reason = self._status(lowest)
        first, self._first, self._readings = self._first, False, []
        return Hour(self._hour * 3600, row, status, reason, first, tuple(pressures), computed)

    def _status(self, lowest: np.ndarray) -> tuple[str, str]:
        """Status and reason of an hour with these lowest values (NAMES,)."""
        low = [
            f"{_WORDS[vital]} {lowest[vital]:.4g} {VITALS[NAMES[vital]].unit}, below {limit:g}"
            + (f", {self._since[vital]} h ago" if self._since[vital] else "")
            for vital, limit in ((_MAP, LOW_MAP), (_SPO2, LOW_SPO2))
            if lowest[vital] < limit
        ]
        if low:
            return LOW, f"already in an event: {' and '.join(low)}"
        missing = [f"no {_WORDS[v]} yet{self._half() if v == _MAP else ''}" for v in _WORDS if self._never[v]]
        if not self._never[_MAP] and self._since[_MAP] >= _MAP_KNOWN:
            nothing = self._since.min() >= _MAP_KNOWN
            missing.append(f"no {'reading' if nothing else _WORDS[_MAP]} in the last {_MAP_KNOWN} hours")
        return (UNKNOWN, ", ".join(missing)) if missing else (STABLE, "")

    def _half(self) -> str:
        """Why systolic and diastolic pressure give no mean, if one of them was measured."""
        known = [name for vital, name in ((_SBP, "systolic"), (_DBP, "diastolic")) if not self._never[vital]]
        if len(known) == 2:
            return f" (systolic and diastolic are never within {SAME_TIME // 60} minutes)"
        return f" (only {known[0]})" if known else ""


def hours_of(readings: Readings) -> list[Hour]:
    """All hours of one patient's readings, in the order of time."""
    grid, complete = HourGrid(), []
    for reading in zip(*(a.tolist() for a in readings), strict=True):
        complete += grid.push(*reading)
    return complete + grid.end()


def stays_of(hours: list[Hour]) -> list[list[Hour]]:
    """The hours of one patient, split into stays."""
    stays: list[list[Hour]] = []
    for hour in hours:
        if hour.begins:
            stays.append([])
        stays[-1].append(hour)
    return stays
