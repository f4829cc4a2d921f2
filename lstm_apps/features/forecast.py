"""Features of a forecaster: the last steps of a series and the calendar of the next ones."""

import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.bounds import Bounds, clip_outliers, robust_bounds
from lstm_apps.features.calendar import calendar
from lstm_apps.features.frequency import Frequency
from lstm_apps.features.options import Options
from lstm_apps.features.series import Series, fill_missing, read_series
from lstm_apps.features.tables.dialect import OPTIONS, PLAIN, Dialect

Arrays = dict[str, np.ndarray]

# Of values, which the graph reads as float32, and of their squares.
_LARGEST, _LEAST_SPREAD = 1e15, 1e-5
# Of the standard deviation: Keras divides by 1e-7 at least.
_LEAST_STD = 1e-6


@dataclass(frozen=True)
class ForecastFeatures:
    """From a table of times and values to the forecaster's inputs, and from its outputs back.

    The scaler is in the model's graph; mean and std stand here too, to build it.
    """

    time: str  # column of times
    target: str  # column of values
    unit: str  # of the values
    step: str | None  # resample raw rows to this step first; None: they are regular
    frequency: Frequency
    seasons: tuple[int, ...]  # periods in steps, shortest first
    history: int  # steps that the model reads
    horizon: int  # steps that it forecasts
    quantiles: tuple[float, ...]  # ascending
    mean: float  # of the training part, within the bounds
    std: float  # of the training part, within the bounds
    dialect: Dialect = PLAIN  # of the table it was trained on
    bounds: Bounds | None = None  # for clipping; None of older models

    kind: ClassVar[str] = "forecast"
    options: ClassVar[Options] = OPTIONS

    @classmethod
    def fit(cls, train: Series, *, time: str, target: str, unit: str, step: str | None, horizon: int,
            history: int, quantiles: tuple[float, ...], dialect: Dialect = PLAIN) -> Self:  # fmt: skip
        """Fit scaler and bounds on the training part of a series.

        A few values far outside all others move neither the scaler nor the bounds; see `robust_bounds`.

        Raises:
            InputError: The part is constant, or float32 cannot hold its values.
        """
        values = train.values
        largest = float(np.nanmedian(np.abs(values)))
        if largest <= _LARGEST:
            bounds = robust_bounds(values)
            kept = np.where((bounds[0] <= values) & (values <= bounds[1]), values, np.nan)
            largest = float(np.nanmax(np.abs(kept)))
        if largest > _LARGEST:
            raise InputError(
                f"{target!r} goes up to {largest:g}: choose a unit in which numbers are smaller."
            )
        if np.nanmin(kept) == np.nanmax(kept):
            apart = int(train.measured.sum() - (~np.isnan(kept)).sum())
            but = f", but for {apart} of its {len(train)} values" if apart else ""
            raise InputError(f"The training part of {target!r} is constant{but}; there is nothing to learn.")
        mean, std = float(np.nanmean(kept)), float(np.nanstd(kept))
        if std < _LEAST_SPREAD * largest:
            raise InputError(
                f"The training part of {target!r} spreads by {std:g} only, and goes up to {largest:g}: "
                "float32 does not tell its values apart. Subtract what they have in common."
            )
        if std < _LEAST_STD:
            raise InputError(
                f"The training part of {target!r} spreads by {std:g} only: choose a unit in which numbers "
                "are larger."
            )
        seasons = train.frequency.seasons()
        return cls(time, target, unit, step, train.frequency, seasons, history, horizon, quantiles,
                   mean, std, dialect, bounds)  # fmt: skip

    @property
    def context(self) -> int:
        """Steps of history that the LSTM reads; earlier ones serve as lags and averages.
        Three short seasons forecast as well as seven, in half the time."""
        return min(3 * self.seasons[0], self.history - self.seasons[-1])

    def bounded(self, values: np.ndarray) -> np.ndarray:
        """A series (steps,) without NaN with outliers clipped, see `clip_outliers`; causal from step
        `history` on."""
        return clip_outliers(values, self.bounds, self.history) if self.bounds else values

    def windows(self, series: Series, values: np.ndarray, origins: np.ndarray) -> Arrays:
        """The inputs for forecasts made at `origins`: steps of `series` that are not yet known.

        Args:
            series: The series, for its times.
            values: (steps,) its values without NaN, see `bounded`.
            origins: (batch,) indices; `values[origin:]` is not read.

        Returns:
            "history": (batch, history) float32, in the unit of the series; "calendar":
            (batch, context + horizon, CALENDAR_SIZE) float32, the LSTM's steps, the last
            `horizon` of them ahead.
        """
        at = np.asarray(origins)[:, None]
        steps = at + np.arange(-self.context, self.horizon)
        return {
            "history": values[at + np.arange(-self.history, 0)].astype(np.float32),
            "calendar": calendar(self.frequency.shift(series.start, steps)),
        }

    def predict(self, run: Callable[[Arrays], Arrays], raw: Any, **given: Any) -> dict[str, np.ndarray]:
        """Forecast what follows a table.

        Args:
            run: The model: named inputs to named outputs.
            raw: File or table with the columns `time` and `target`, at least `history` steps
                long; see `read_series`. Missing values are filled with a warning, outliers clipped to
                `bounds` with another.
            **given: `options` for a table that is written differently from the training table.

        Returns:
            "time": (horizon,) datetime64[s]; an entry for each quantile ("q10", "q50", ...): (horizon,)
            float32 in `unit`.

        Raises:
            InputError: As `read_series`; another step; too few, no or too large values.
        """
        step = str(self.frequency) if "start" in given else self.step
        series = read_series(raw, self.time, self.target, step, self.dialect.changed(**given))
        if series.frequency != self.frequency:
            raise InputError(
                f"The table has a step of {series.frequency}, the model was trained for {self.frequency}."
            )
        if len(series) < self.history:
            raise InputError(
                f"The table covers {len(series)} steps of {self.frequency}; "
                f"the model needs the last {self.history}."
            )
        series = series[len(series) - self.history :]
        if not series.measured.any():
            raise InputError(f"None of the last {self.history} values of {self.target!r} is measured.")
        values, filled = fill_missing(series)
        if filled:
            warnings.warn(
                f"{filled} of the last {self.history} values of {self.target!r} are missing and were "
                "filled with the value a season before.",
                stacklevel=2,
            )
        if np.ptp(values) == 0:
            warnings.warn(
                f"{self.target!r} is {values[0]:g} throughout the last {self.history} steps: is the "
                "meter alive?",
                stacklevel=2,
            )
        bounded = self.bounded(values)
        if len(clipped := np.flatnonzero(bounded != values)):
            warnings.warn(
                f"{len(clipped)} of the last {self.history} values of {self.target!r} are far from all that "
                f"the model was trained on, the first {values[clipped[0]]:g} at {series.times[clipped[0]]}: "
                f"it reads {bounded[clipped[0]]:g} instead.",
                stacklevel=2,
            )
        if (largest := float(np.abs(bounded).max())) > _LARGEST:
            raise InputError(f"{self.target!r} goes up to {largest:g}: too large for the model.")
        outputs = run(self.windows(series, bounded, np.array([self.history])))
        quantiles = outputs["quantiles"][0]  # (horizon, quantiles)
        if not np.isfinite(quantiles).all():
            raise InputError(f"The model makes no finite forecast of these values of {self.target!r}.")
        names = [f"q{round(100 * q)}" for q in self.quantiles]
        times = self.frequency.shift(series.end, np.arange(self.horizon))
        return {"time": times, **dict(zip(names, quantiles.T, strict=True))}

    def stream(self, stream: Any) -> Any:
        raise InputError("A forecaster reads its whole history at once: it is not streamed.")

    def about(self) -> dict[str, Any]:
        return {
            "columns": {"time": self.time, "target": self.target},
            "step": str(self.frequency),
            "history": self.history,
            "horizon": self.horizon,
            "quantiles": list(self.quantiles),
        }

    def to_dict(self) -> dict:
        return {**asdict(self), "frequency": str(self.frequency)}

    @classmethod
    def from_dict(cls, data: dict) -> Self:
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        dialect = Dialect.of(data.get("dialect", {}))
        return cls(**{**values, "frequency": Frequency.parse(data["frequency"]), "dialect": dialect})
