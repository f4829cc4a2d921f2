"""Vital signs: from readings at any time to a row for each hour, and from risks to alarms."""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.options import Options
from lstm_apps.healthcare.vitals.checks import SAME_TIME, check
from lstm_apps.healthcare.vitals.hours import (
    COLUMNS,
    GAP,
    INPUTS,
    STABLE,
    VALUES,
    Hour,
    HourGrid,
    hours_of,
    stays_of,
)
from lstm_apps.healthcare.vitals.readings import (
    BOUNDS,
    NAMES,
    VITALS,
    Bounds,
    by_patient,
    read_patients,
    read_rows,
    tell,
)
from lstm_apps.healthcare.vitals.table import Rows, called

HORIZON = 6  # hours: what a risk is of, and how long an alarm holds
# A file reads so many hours at once, of which the first ones, but at the beginning, are there to warm up.
STRETCH, WARM_UP = 72, 24
COMPUTED = (
    "the mean arterial pressure is computed, as none was measured: (systolic + 2 diastolic) / 3 of readings "
    f"at most {SAME_TIME // 60} minutes apart"
)
_SEEN = 1000  # readings by which a stream tells that units are wrong


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
            hours, NaN unless "status" is "stable"; "alarm"; "reason", why there is no risk, else "".
        """
        names = "patient", "time", "risk", "status", "alarm", "reason"
        answers: dict[str, list[Any]] = {n: [] for n in names}
        computed, breaks = 0, []
        patients = read_patients(raw, self.columns, self.bounds)
        if not patients:
            raise InputError(f"No reading of {', '.join(NAMES)} that could be real.")
        for patient, readings in patients.items():
            stays = stays_of(hours_of(readings))
            breaks += [(patient, stay[-1].end) for stay in stays[:-1]]
            for stay in stays:
                computed += sum(hour.computed for hour in stay)
                risks = self.risks(run, np.stack([h.row for h in stay]))
                alarms = Alarms(self.threshold)
                for hour, risk in zip(stay, risks, strict=True):
                    answer = self.answer(hour, float(risk), alarms)
                    for name, value in {"patient": patient, **answer}.items():
                        answers[name].append(value)
        if computed:
            tell_computed(computed, len(answers["time"]))
        if breaks:
            patient, end = breaks[0]
            first = f"{f'of patient {patient!r} ' if patient else ''}after {np.datetime64(end, 's')}"
            warnings.warn(
                f"{len(breaks)} time(s) nothing was measured for more than {GAP // 3600} hours, first "
                f"{first}: there is no answer for those hours, and a new stay begins after them.",
                stacklevel=2,
            )
        return {name: np.array(values) for name, values in answers.items()}

    def answer(self, hour: Hour, risk: float, alarms: Alarms) -> dict[str, Any]:
        """What is said of one hour."""
        risk = risk if hour.status == STABLE else float("nan")
        return {
            "time": np.datetime64(hour.end, "s"),
            "risk": risk,
            "status": hour.status,
            "alarm": alarms.hear(hour.end, risk),
            "reason": hour.reason,
        }

    def stream(self, stream: Any) -> "VitalsStream":
        """Risks while readings come in; `stream` is the file's `Stream`."""
        return VitalsStream(self, stream)

    def about(self) -> dict[str, Any]:
        vitals = {name: {"unit": VITALS[name].unit, "between": list(self.bounds[name])} for name in NAMES}
        return {
            "columns": dict(self.columns),
            "vitals": vitals,
            "horizon_hours": HORIZON,
            "input_columns": [{"name": name, "unit": unit} for name, unit in INPUTS],
        }

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict) -> Self:
        bounds = {name: tuple(between) for name, between in data["bounds"].items()}
        return cls(**{**data, "mean": tuple(data["mean"]), "std": tuple(data["std"]), "bounds": bounds})


def tell_computed(count: int, hours: int) -> None:
    """Warn that mean arterial pressures were computed."""
    warnings.warn(f"In {count} of {hours} hours {COMPUTED}.", stacklevel=3)


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
        self._seen: Rows | None = None
        self._told = False  # that a pressure is computed

    def push(self, raw: Any) -> list[dict[str, Any]]:
        """Hours that the next readings complete, as `VitalsFeatures.predict` has them.

        Args:
            raw: A long table of readings of this patient, later than the hours that were told. Where none
                could be real, as when a sensor came off, nothing was measured.
        """
        bounds = self._features.bounds
        rows = read_rows(raw, self._features.columns)
        patients = {p: readings for p, readings in by_patient(rows, bounds).items() if len(readings.values)}
        if len(patients) > 1:
            raise InputError(f"Readings of {len(patients)} patients; a stream is of one.")
        patient, readings = next(iter(patients.items()), (self._patient, None))
        if self._patient not in (None, patient):
            raise InputError(
                f"Readings of patient {patient!r}; the stream is of {self._patient!r}: begin another."
            )
        if readings is not None:
            self._grid.check(int(readings.seconds[0]))
        seen = rows if self._seen is None else _joined(self._seen, rows)
        check(*seen, called(raw))
        tell(rows, bounds)
        self._seen, self._patient = seen, patient
        if readings is None:
            return []
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
        if hour.computed and not self._told:
            self._told = True
            warnings.warn(
                f"In the hour to {np.datetime64(hour.end, 's')} {COMPUTED}; so in later hours.", stacklevel=4
            )
        row = self._features.encode(hour.row)
        risk = float(self._stream.push({"hours": row[None, None]})["risk"][0, 0, 0])
        return self._features.answer(hour, risk, self._alarms)


def _joined(before: Rows, now: Rows) -> Rows:
    """The last `_SEEN` readings."""
    patients, seconds, names, values = (
        np.concatenate([a, b])[-_SEEN:] for a, b in zip(before, now, strict=True)
    )
    return patients, seconds, names, values
