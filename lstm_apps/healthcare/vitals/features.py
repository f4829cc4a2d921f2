"""Vital signs: from readings at any time to a row for each hour, and from risks to alarms."""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.options import Options
from lstm_apps.features.raw import is_folder
from lstm_apps.features.tables.dialect import PLAIN, Dialect
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
    possible,
    read_patients,
    read_rows,
    warn_left_out,
)
from lstm_apps.healthcare.vitals.table import OPTIONS, Rows, table_name

HORIZON = 6  # hours: of the risk, and from an alarm to the next that may be raised
# Hours of a window that a file reads at once, and how many of them overlap with the window before.
WINDOW, WARM_UP = 72, 24
COMPUTED = (
    "the mean arterial pressure is computed, as none was measured: (systolic + 2 diastolic) / 3 of readings "
    f"at most {SAME_TIME // 60} minutes apart"
)
_RECENT = 1000  # readings that a stream keeps to check units


class Alarms:
    """Raises the alarms of one stay: when the risk reaches the threshold, but not within `HORIZON` hours of
    the alarm before."""

    def __init__(self, threshold: float):
        self._threshold, self._last = threshold, -HORIZON * 3600

    def update(self, end: int, risk: float) -> bool:
        """Whether an alarm is raised at `end` (seconds since 1970) of the next hour; NaN raises none."""
        alarm = risk >= self._threshold and end - self._last >= HORIZON * 3600
        if alarm:
            self._last = end
        return bool(alarm)


@dataclass(frozen=True)
class VitalsFeatures:
    """From readings to hours, and from the model's risks to alarms.

    The scaler and the calibration are in the model's graph; mean and std stand here too, to build the graph
    and to replace values that were never measured by the mean.
    """

    columns: Mapping[str, str]  # role -> column of a table
    mean: tuple[float, ...]  # of each of the VALUES over the hours of training
    std: tuple[float, ...]
    threshold: float = 0.5  # risk at which an alarm is raised
    bounds: Bounds = field(default_factory=lambda: dict(BOUNDS))  # of possible values
    dialect: Dialect = PLAIN  # of the table it was trained on

    kind: ClassVar[str] = "vitals"
    options: ClassVar[Options] = OPTIONS

    @classmethod
    def fit(cls, columns: Mapping[str, str], rows: Iterable[np.ndarray], dialect: Dialect = PLAIN) -> Self:
        """Fit the scaler.

        Args:
            columns: Role -> column of a table.
            rows: The hours (any, COLUMNS) of each training stay.
            dialect: How the table of training is written.
        """
        values = np.concatenate(list(rows))[:, :VALUES]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of a vital sign that was never measured
            mean, std = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
        return cls(
            dict(columns),
            tuple(np.nan_to_num(mean).tolist()),
            tuple(np.maximum(np.nan_to_num(std, nan=1.0), 0.1).tolist()),
            dialect=dialect,
        )

    def encode(self, rows: np.ndarray) -> np.ndarray:
        """Hours (..., COLUMNS) as the model takes them: float32, NaN replaced by the mean."""
        filled = np.array(rows, np.float32)
        values = filled[..., :VALUES]
        filled[..., :VALUES] = np.where(np.isnan(values), np.array(self.mean, np.float32), values)
        return filled

    def risks(self, run: Any, rows: np.ndarray) -> np.ndarray:
        """Risks (hours,) of the hours (hours, COLUMNS) of one stay, in windows of `WINDOW` that overlap by
        `WARM_UP`."""
        parts = [self.encode(p) for p in windows(rows)]
        batch = np.zeros((len(parts), WINDOW, COLUMNS), np.float32)
        for place, part in zip(batch, parts, strict=True):
            place[: len(part)] = part
        found = run({"hours": batch})["risk"][..., 0]
        return np.concatenate([found[0], *(f[WARM_UP:] for f in found[1:])])[: len(rows)]

    def predict(self, run: Any, raw: Any, **given: Any) -> dict[str, np.ndarray]:
        """The risk after each hour.

        Args:
            run: The model: named inputs to named outputs.
            raw: Readings of one patient or several: a table or a folder, see `read_rows`.
            **given: `options` for a table that is written differently from the training table.

        Returns:
            "patient"; "time", the end of the hour; "risk" that the patient deteriorates within `HORIZON`
            hours, NaN unless "status" is "stable"; "alarm"; "reason", why there is no risk, else "". Arrays
            (hours,).

        Raises:
            InputError: No possible reading, or as `read_patients`.
        """
        names = "patient", "time", "risk", "status", "alarm", "reason"
        answers: dict[str, list[Any]] = {n: [] for n in names}
        computed, breaks = 0, []
        patients = read_patients(
            raw, self.columns, self.bounds, _dialect_of(raw, self.dialect).changed(**given)
        )
        if not patients:
            raise InputError(f"No possible reading of {', '.join(NAMES)}.")
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
            warn_computed(computed, len(answers["time"]))
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
        """The row of `predict` for one hour with this risk."""
        risk = risk if hour.status == STABLE else float("nan")
        return {
            "time": np.datetime64(hour.end, "s"),
            "risk": risk,
            "status": hour.status,
            "alarm": alarms.update(hour.end, risk),
            "reason": hour.reason,
        }

    def stream(self, stream: Any) -> "VitalsStream":
        """Risks while readings arrive; `stream` is the file's `Stream`."""
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
        dialect = Dialect.of(data.get("dialect", {}))
        return cls(
            **{
                **data,
                "mean": tuple(data["mean"]),
                "std": tuple(data["std"]),
                "bounds": bounds,
                "dialect": dialect,
            }
        )


def _dialect_of(raw: Any, trained: Dialect) -> Dialect:
    """How `raw` is written unless the user says otherwise: like the training table; a folder like CLIF."""
    return PLAIN if isinstance(raw, str | Path) and is_folder(Path(raw)) else trained


def warn_computed(count: int, hours: int) -> None:
    """Warn that mean arterial pressures were computed in `count` of `hours` hours."""
    warnings.warn(f"In {count} of {hours} hours {COMPUTED}.", stacklevel=3)


def windows(rows: np.ndarray) -> list[np.ndarray]:
    """Windows (time, COLUMNS) of `WINDOW` hours, the last one shorter, that overlap by `WARM_UP`."""
    starts = range(0, max(1, len(rows) - WARM_UP), WINDOW - WARM_UP)
    return [rows[s : s + WINDOW] for s in starts]


class VitalsStream:
    """Risks of one patient while readings arrive: an hour has its risk when it is complete."""

    def __init__(self, features: VitalsFeatures, stream: Any):
        self._features, self._stream = features, stream
        self.reset()

    def reset(self) -> None:
        """Forget all readings."""
        self._grid = HourGrid()
        self._alarms = Alarms(self._features.threshold)
        self._patient: str | None = None
        self._recent: Rows | None = None
        self._told = False  # whether it has warned that a pressure is computed

    def push(self, raw: Any) -> list[dict[str, Any]]:
        """The hours that the next readings complete.

        Args:
            raw: A table of readings of this patient, later than the complete hours. Impossible readings, as
                of a sensor that came off, count as not measured.

        Returns:
            A row of `VitalsFeatures.predict` for each hour.

        Raises:
            InputError: As `read_patients`; another patient; a reading of an hour that is complete already.
        """
        bounds = self._features.bounds
        rows = read_rows(raw, self._features.columns, _dialect_of(raw, self._features.dialect), bounds)
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
        seen = rows if self._recent is None else _joined(self._recent, rows)
        check(*seen, table_name(raw), possible(seen[2], seen[3], bounds))
        warn_left_out(rows, bounds)
        self._recent, self._patient = seen, patient
        if readings is None:
            return []
        complete: list[Hour] = []
        for reading in zip(*(a.tolist() for a in readings), strict=True):
            complete += self._grid.push(*reading)
        return [self._answer(hour) for hour in complete]

    def end(self) -> list[dict[str, Any]]:
        """The last hour, when no more readings arrive."""
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
    """The last `_RECENT` readings."""
    patients, seconds, names, values = (
        np.concatenate([a, b])[-_RECENT:] for a, b in zip(before, now, strict=True)
    )
    return patients, seconds, names, values
