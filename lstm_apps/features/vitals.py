"""Vital signs: from readings at any time to a row for each hour, and from risks to alarms."""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.options import Options
from lstm_apps.features.readings import BOUNDS, NAMES, VITALS, Bounds, Readings, read_patients

NEEDED = "heart_rate", "map", "spo2"  # without which nothing can be asked
_HEART_RATE, _MAP, _SPO2 = map(NAMES.index, NEEDED)
LOW_MAP, LOW_SPO2 = 65.0, 88.0  # below: hypotension, hypoxaemia
HORIZON = 6  # hours: what a risk is of, and how long an alarm holds
GAP = 12 * 3600  # seconds without a reading after which a stay has ended
_MAP_KNOWN = 4  # hours for which a blood pressure says something
_LONGEST_SINCE = 24  # hours; longer ago is all the same
# Of each hour: last, lowest and highest value of each vital sign, whether it was measured, hours since.
VALUES = 3 * len(NAMES)
COLUMNS = 5 * len(NAMES)
# A file reads so many hours at once, of which the first ones, but at the beginning, are there to warm up.
STRETCH, WARM_UP = 72, 24

STABLE, LOW, UNKNOWN = "stable", "low now", "too little measured"


class Hour(NamedTuple):
    """What is known at the end of a whole hour of UTC."""

    end: int  # seconds since 1970
    row: np.ndarray  # (COLUMNS,); values that were never measured are NaN
    status: str  # STABLE; LOW: hypotension or hypoxaemia already; UNKNOWN: too little is measured
    begins: bool  # the first hour of a stay


class HourGrid:
    """Readings in, hours out: each hour as soon as a reading after it comes. After `GAP` without a
    reading a new stay begins, which knows nothing of the one before."""

    def __init__(self) -> None:
        self._hour: int | None = None  # its end, in hours since 1970
        self._latest = 0  # reading, seconds since 1970

    def push(self, second: int, vital: int, value: float) -> list[Hour]:
        """The hours that end before this reading. A reading of an hour that was told already is an
        InputError."""
        hour = -(-second // 3600)
        told = []
        if self._hour is not None and second - self._latest > GAP:
            told, self._hour = self.end(), None
        if self._hour is None:
            self._begin(hour)
        assert self._hour is not None
        self.check(second)
        while self._hour < hour:
            told.append(self._close())
            self._hour += 1
        self._readings.append((second, vital, value))
        self._latest = max(self._latest, second)
        return told

    def check(self, second: int) -> None:
        """A time in an hour that was told already is an InputError."""
        if self._hour is not None and -(-second // 3600) < self._hour:
            raise InputError(
                f"A reading of {np.datetime64(second, 's')} comes too late: its hour was told already. "
                "After a wrong time, `reset` begins anew."
            )

    def end(self) -> list[Hour]:
        """The last hour, of which no more readings come; the next reading begins a new stay."""
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

    def _close(self) -> Hour:
        assert self._hour is not None
        self._since = np.minimum(self._since + 1, _LONGEST_SINCE)
        of_hour: dict[int, list[float]] = {}
        for _, vital, value in sorted(self._readings, key=lambda r: r[0]):
            of_hour.setdefault(vital, []).append(value)
        lowest, highest = self._values.copy(), self._values.copy()
        measured = np.zeros(len(NAMES))
        for vital, values in of_hour.items():
            self._values[vital], lowest[vital], highest[vital] = values[-1], min(values), max(values)
            self._since[vital], measured[vital] = 0, 1
        self._never &= measured == 0
        row = np.concatenate([self._values, lowest, highest, measured, self._since])
        if lowest[_MAP] < LOW_MAP or lowest[_SPO2] < LOW_SPO2:
            status = LOW
        elif self._since[_MAP] >= _MAP_KNOWN or self._never[[_HEART_RATE, _SPO2]].any():
            status = UNKNOWN
        else:
            status = STABLE
        first, self._first, self._readings = self._first, False, []
        return Hour(self._hour * 3600, row, status, first)


def hours_of(readings: Readings) -> list[Hour]:
    """All hours of a patient."""
    grid, told = HourGrid(), []
    for reading in zip(*(a.tolist() for a in readings), strict=True):
        told += grid.push(*reading)
    return told + grid.end()


class Alarms:
    """Alarms of one stay: hours whose risk reaches the threshold. An alarm holds for `HORIZON` hours, in
    which there is no other."""

    def __init__(self, threshold: float):
        self._threshold, self._last = threshold, -HORIZON * 3600

    def hear(self, end: int, risk: float) -> bool:
        """Whether there is an alarm at the end of this hour (seconds); NaN is no risk."""
        alarm = risk >= self._threshold and end - self._last >= HORIZON * 3600
        if alarm:
            self._last = end
        return bool(alarm)


@dataclass(frozen=True)
class VitalsFeatures:
    """From readings to hours, and from the model's risks to alarms.

    The scaler and the calibration are in the model's graph; the scaler's numbers stand here too, to build
    it and because a value that was never measured is the mean.
    """

    columns: Mapping[str, str]  # role -> column of a table
    mean: tuple[float, ...]  # of each of the VALUES over the hours of training
    std: tuple[float, ...]
    threshold: float = 0.5  # of alarms
    bounds: Bounds = field(default_factory=lambda: dict(BOUNDS))  # of what can be real

    kind: ClassVar[str] = "vitals"
    options: ClassVar[Options] = {}

    @classmethod
    def fit(cls, columns: Mapping[str, str], rows: Iterable[np.ndarray]) -> Self:
        """Fit the scaler on the hours (any, COLUMNS) of the training part."""
        values = np.concatenate(list(rows))[:, :VALUES]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of a vital sign that nobody measured
            mean, std = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
        return cls(
            dict(columns),
            tuple(np.nan_to_num(mean).tolist()),
            tuple(np.maximum(np.nan_to_num(std, nan=1.0), 0.1).tolist()),
        )

    def encode(self, rows: np.ndarray) -> np.ndarray:
        """Hours (..., COLUMNS) as the model takes them: no NaN, float32."""
        filled = np.array(rows, np.float32)
        values = filled[..., :VALUES]
        filled[..., :VALUES] = np.where(np.isnan(values), np.array(self.mean, np.float32), values)
        return filled

    def risks(self, run: Any, rows: np.ndarray) -> np.ndarray:
        """(hours,) of all hours of one stay, in stretches of `STRETCH` that overlap by `WARM_UP`."""
        parts = [self.encode(p) for p in stretches(rows)]
        batch = np.zeros((len(parts), STRETCH, COLUMNS), np.float32)
        for place, part in zip(batch, parts, strict=True):
            place[: len(part)] = part
        found = run({"hours": batch})["risk"][..., 0]
        return np.concatenate([found[0], *(f[WARM_UP:] for f in found[1:])])[: len(rows)]

    def predict(self, run: Any, raw: Any) -> dict[str, np.ndarray]:
        """The risk after each hour.

        Args:
            run: The model: named inputs to named outputs.
            raw: Readings of one patient or several, see `read_rows`.

        Returns:
            "patient"; "time", the end of the hour; "risk" that the patient deteriorates within `HORIZON`
            hours, NaN unless "status" is "stable"; "alarm".
        """
        answers: dict[str, list[Any]] = {n: [] for n in ("patient", "time", "risk", "status", "alarm")}
        patients = read_patients(raw, self.columns, self.bounds)
        if not patients:
            raise InputError(f"No reading of {', '.join(NAMES)} that could be real.")
        for patient, readings in patients.items():
            for stay in stays_of(hours_of(readings)):
                risks = self.risks(run, np.stack([h.row for h in stay]))
                alarms = Alarms(self.threshold)
                for hour, risk in zip(stay, risks, strict=True):
                    answer = self.answer(hour, float(risk), alarms)
                    for name, value in {"patient": patient, **answer}.items():
                        answers[name].append(value)
        return {name: np.array(values) for name, values in answers.items()}

    def answer(self, hour: Hour, risk: float, alarms: Alarms) -> dict[str, Any]:
        """What is said of one hour."""
        risk = risk if hour.status == STABLE else float("nan")
        return {
            "time": np.datetime64(hour.end, "s"),
            "risk": risk,
            "status": hour.status,
            "alarm": alarms.hear(hour.end, risk),
        }

    def stream(self, stream: Any) -> "VitalsStream":
        """Risks while readings come in; `stream` is the file's `Stream`."""
        return VitalsStream(self, stream)

    def about(self) -> dict[str, Any]:
        vitals = {name: {"unit": VITALS[name].unit, "between": list(self.bounds[name])} for name in NAMES}
        return {"columns": dict(self.columns), "vitals": vitals, "horizon_hours": HORIZON}

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict) -> Self:
        bounds = {name: tuple(between) for name, between in data["bounds"].items()}
        return cls(**{**data, "mean": tuple(data["mean"]), "std": tuple(data["std"]), "bounds": bounds})


def stays_of(hours: list[Hour]) -> list[list[Hour]]:
    """Hours of a patient, those of each stay together."""
    stays: list[list[Hour]] = []
    for hour in hours:
        if hour.begins:
            stays.append([])
        stays[-1].append(hour)
    return stays


def stretches(rows: np.ndarray) -> list[np.ndarray]:
    """Pieces of `STRETCH` hours, the last one shorter, that overlap by `WARM_UP`."""
    starts = range(0, max(1, len(rows) - WARM_UP), STRETCH - WARM_UP)
    return [rows[s : s + STRETCH] for s in starts]


class VitalsStream:
    """Readings of one patient as they come in, each hour answered when it is over."""

    def __init__(self, features: VitalsFeatures, stream: Any):
        self._features, self._stream = features, stream
        self.reset()

    def reset(self) -> None:
        """Forget all that was pushed."""
        self._grid = HourGrid()
        self._alarms = Alarms(self._features.threshold)
        self._patient: str | None = None

    def push(self, raw: Any) -> list[dict[str, Any]]:
        """Hours that the next readings complete, as `VitalsFeatures.predict` has them.

        Args:
            raw: A long table of readings of this patient, later than the hours that were told. Where none
                could be real, as when a sensor came off, nothing was measured.
        """
        patients = read_patients(raw, self._features.columns, self._features.bounds)
        if not patients:
            return []
        if len(patients) > 1:
            raise InputError(f"Readings of {len(patients)} patients; a stream is of one.")
        ((patient, readings),) = patients.items()
        if self._patient not in (None, patient):
            raise InputError(
                f"Readings of patient {patient!r}; the stream is of {self._patient!r}: begin another."
            )
        self._grid.check(int(readings.seconds[0]))
        self._patient = patient
        told: list[Hour] = []
        for reading in zip(*(a.tolist() for a in readings), strict=True):
            told += self._grid.push(*reading)
        return [self._answer(hour) for hour in told]

    def end(self) -> list[dict[str, Any]]:
        """The hour that is not over, when nothing more comes."""
        return [self._answer(hour) for hour in self._grid.end()]

    def _answer(self, hour: Hour) -> dict[str, Any]:
        if hour.begins:
            self._stream.reset()
            self._alarms = Alarms(self._features.threshold)
        row = self._features.encode(hour.row)
        risk = float(self._stream.push({"hours": row[None, None]})["risk"][0, 0, 0])
        return self._features.answer(hour, risk, self._alarms)
