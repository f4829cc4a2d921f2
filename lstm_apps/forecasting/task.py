"""The application of all forecasts: one regular series, quantiles of its next steps."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_apps.application import Application, Data, Plot, Request
from lstm_apps.data import sources
from lstm_apps.data.splits import Part, TimeSplit, by_time
from lstm_apps.errors import InputError
from lstm_apps.features import Arrays, ModelFunction
from lstm_apps.features.calendar import CALENDAR_SIZE
from lstm_apps.features.forecast import ForecastFeatures
from lstm_apps.features.series import Series, read_series
from lstm_apps.features.tables.dialect import OPTIONS
from lstm_apps.forecasting import baselines
from lstm_apps.forecasting.calibration import spread_factors
from lstm_apps.forecasting.metrics import (
    COVERAGE,
    MAE,
    MASE,
    WQL,
    score_quantiles,
    seasonal_naive_error,
)
from lstm_apps.metrics.bootstrap import Scores

if TYPE_CHECKING:
    import keras


QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
# Networks of the ensemble: a few years have some thousand days at most, and one network trained on so few
# depends on its initial weights.
MEMBERS = 5


class Forecasting(Application):
    """Quantile forecasts of a series, split by time, scored on a rolling origin.

    Horizon and history follow from the step of the series: one short season ahead from two long
    ones (hours: a day from two weeks), or a quarter of the only season from two of it.
    """

    domain = "forecasting"
    model_module = "lstm_apps.models.forecaster"
    layout = "CSV, Excel or Parquet with a header: a column of regular times (or --step), and one of numbers"
    metrics = (MASE, WQL, MAE, COVERAGE)
    outputs = ("quantiles",)

    def __init__(
        self,
        *,
        name: str,
        summary: str,
        dataset: str,
        roles: Mapping[str, str],
        unit: str,
        test_steps: int,
        validation_steps: int,
        presets: Mapping[str, Mapping[str, Any]],
        seasons: tuple[int, ...],
    ):
        self.name = name
        self.summary = summary
        self.dataset = dataset
        self.roles = roles
        self.unit = unit  # of the default dataset
        self.test_steps = test_steps  # of the default dataset; a user's series gives a fifth
        self.validation_steps = validation_steps
        self.presets = presets
        self.baselines = baselines.names(seasons)

    def describe(self, features: ForecastFeatures) -> str:
        if features.target == self.roles["target"]:
            return self.summary
        return (
            f"Quantile forecast of {features.target}, {features.horizon} steps of {features.frequency} "
            f"ahead, from the last {features.history}"
        )

    def load(self, request: Request) -> Data:
        columns = self.columns(request, step=True, dialect=tuple(OPTIONS))
        found = sources.find(request.path or self.dataset)
        known = found.source
        step = request.step or (known.step if known else None)
        series = read_series(found.path, columns["time"], columns["target"], step, request.dialect)
        split = self._split(series, own=not known or request.step is not None)
        unit, step = self.unit if known else "", None if request.dialect.start else step
        return Data(
            split.train,
            split.validation,
            split.test,
            provenance={
                **found.provenance(),
                "columns": columns,
                "unit": unit,
                "resampled_to": step,
                "frequency": str(series.frequency),
                "steps": len(series),
                "not_measured": int((~series.measured).sum()),
                "first": str(series.start),
                "validation_from": str(split.validation.series.times[split.validation.begin]),
                "test_from": str(split.test.series.times[split.test.begin]),
                "end": str(series.end),
            },
            settings={**columns, "unit": unit, "step": step},
        )

    def _split(self, series: Series, own: bool) -> TimeSplit:
        history, horizon = _spans(series)
        test, validation = self.test_steps, self.validation_steps
        if own:
            test = _whole(len(series) // 5, horizon)
            validation = _whole(len(series) * 15 // 100, horizon)
        least = history + 4 * horizon
        if len(series) - test - validation < least:
            raise InputError(
                f"The series has {len(series)} steps of {series.frequency}. To learn a forecast of "
                f"{horizon} steps from {history}, with 15 % for validation and 20 % for the test, it needs "
                f"at least {int(least / 0.64) + 1}."
            )
        split = by_time(series, validation, test)
        for name, part in (("validation", split.validation), ("test", split.test)):
            if not part.series.measured[part.begin :].any():
                raise InputError(
                    f"From {part.series.times[part.begin]} to {part.series.end}, the {name} part, nothing is "
                    "measured: leave out the part without values."
                )
        return split

    def fit_features(self, data: Data) -> ForecastFeatures:
        history, horizon = _spans(data.train.series)
        return ForecastFeatures.fit(
            data.train.series,
            **data.settings,  # columns, unit, step
            dialect=data.train.series.dialect,
            horizon=horizon,
            history=history,
            quantiles=QUANTILES,
        )

    def examples(self, features: ForecastFeatures, records: Part) -> "WindowExamples":
        return WindowExamples(features, records, records.origins(features.history, features.horizon))

    def build(self, features: ForecastFeatures, *, units: int, layers: int, dropout: float) -> "keras.Model":
        from lstm_apps.models.forecaster import forecaster

        return forecaster(
            history=features.history,
            context=features.context,
            horizon=features.horizon,
            seasons=features.seasons,
            calendar_size=CALENDAR_SIZE,
            quantiles=features.quantiles,
            mean=features.mean,
            std=features.std,
            units=units,
            layers=layers,
            dropout=dropout,
            members=MEMBERS,
        )

    def loss(self, features: ForecastFeatures) -> Any:
        from lstm_apps.models.forecaster import QuantileLoss

        return {"members": QuantileLoss(features.quantiles, features.std)}

    def calibrate(self, model: "keras.Model", features: ForecastFeatures, data: Data) -> ForecastFeatures:
        examples = self.examples(features, data.validation)
        inputs, targets, weights = examples.batch(np.arange(len(examples)), None)
        members = model.predict(inputs, batch_size=256, verbose=0)["members"]
        factors = spread_factors(
            members.mean(axis=2), targets["members"], weights["members"] > 0, features.quantiles
        )
        model.get_layer("calibrated").set_weights([np.array(factors, np.float32)])
        return features

    def score(self, features: ForecastFeatures, data: Data, run: ModelFunction) -> Scores:
        examples = self._test_examples(features, data)
        inputs, _, _ = examples.batch(np.arange(len(examples)), None)
        return self._score(features, data, run(inputs)["quantiles"])

    def baseline_predictions(
        self, features: ForecastFeatures, data: Data
    ) -> Iterator[tuple[str, np.ndarray]]:
        # Outliers are clipped for them as for the model.
        parts = (data.train, data.validation, data.test)
        split = TimeSplit(*(replace(part, values=features.bounded(part.values)) for part in parts))
        origins = self._test_examples(features, data).origins
        yield from baselines.forecasts(features, split, origins)

    def score_baseline(
        self, features: ForecastFeatures, data: Data, name: str, predictions: np.ndarray
    ) -> Scores:
        return self._score(features, data, predictions)

    def _test_examples(self, features: ForecastFeatures, data: Data) -> "WindowExamples":
        """Origins one horizon apart through the whole test part: each step counts once."""
        origins = data.test.origins(features.history, features.horizon, every=features.horizon)
        return WindowExamples(features, data.test, origins)

    def _score(self, features: ForecastFeatures, data: Data, quantiles: np.ndarray) -> Scores:
        """Metrics of quantiles (origins, horizon, quantiles) against all measured values. MASE's unit leaves
        out outliers of the training part, one of which could make any error small."""
        train = data.train
        regular = train.series.measured & (features.bounded(train.values) == train.values)
        naive = seasonal_naive_error(train.values, regular, features.seasons[0])
        actual, measured = self._test_examples(features, data).measured()
        return score_quantiles(quantiles, actual, measured, features.quantiles, naive)

    def plots(self, features: ForecastFeatures, data: Data, run: ModelFunction) -> list[Plot]:
        from lstm_apps.forecasting.plots import calibration, fan

        examples = self._test_examples(features, data)
        inputs, _, _ = examples.batch(np.arange(len(examples)), None)
        quantiles = run(inputs)["quantiles"]
        values, measured = examples.measured()
        actual = np.where(measured, values, np.nan)
        times = features.frequency.shift(
            data.test.series.start, examples.origins[:, None] + np.arange(features.horizon)
        )
        return [
            fan(times, actual, quantiles, features),
            calibration(actual, quantiles, features.quantiles),
        ]

    def parity_inputs(self, features: ForecastFeatures, data: Data) -> Arrays:
        examples = self._test_examples(features, data)
        spread = np.linspace(0, len(examples) - 1, num=min(16, len(examples)), dtype=int)
        return examples.batch(np.unique(spread), None)[0]

    def output_scale(self, features: ForecastFeatures) -> float:
        return features.std

    def sample_input(self, features: ForecastFeatures, data: Data) -> dict[str, np.ndarray]:
        origin = self._test_examples(features, data).origins[-1]
        window = data.test.series[:origin][origin - features.history :]
        # Local times became UTC, so these are written as UTC.
        utc = features.dialect.timezone is not None
        times = np.datetime_as_string(window.times, timezone="UTC") if utc else window.times
        column, chosen, name = (features.dialect.series or "").partition("=")
        named = {column: np.full(len(times), name)} if chosen else {}
        return {**named, features.time: times, features.target: window.values}


class WindowExamples:
    """Windows of a series with outliers clipped: inputs of `ForecastFeatures.windows`, targets (batch,
    horizon), and weights (batch, horizon), 0 where a step is not measured."""

    def __init__(self, features: ForecastFeatures, part: Part, origins: np.ndarray):
        if not len(origins):
            raise InputError(
                f"No window of {features.history} + {features.horizon} steps fits into this part "
                "of the series."
            )
        self.features, self.part, self.origins = features, part, origins
        self._values = features.bounded(part.values)

    def __len__(self) -> int:
        return len(self.origins)

    def batch(self, indices: np.ndarray, rng: np.random.Generator | None) -> tuple[Arrays, Arrays, Arrays]:
        at = self.origins[indices]
        ahead = at[:, None] + np.arange(self.features.horizon)
        inputs = self.features.windows(self.part.series, self._values, at)
        targets = self._values[ahead].astype(np.float32)
        weights = self.part.series.measured[ahead].astype(np.float32)
        return inputs, {"members": targets}, {"members": weights}

    def measured(self) -> tuple[np.ndarray, np.ndarray]:
        """The values after each origin, float32 and not clipped, and whether each is measured: both
        (origins, horizon)."""
        ahead = self.origins[:, None] + np.arange(self.features.horizon)
        with np.errstate(over="ignore"):  # a value beyond float32 is infinite
            values = self.part.values[ahead].astype(np.float32)
        return values, self.part.series.measured[ahead]


def _spans(series: Series) -> tuple[int, int]:
    """History and horizon in steps."""
    seasons = series.frequency.seasons()
    horizon = seasons[0] if len(seasons) > 1 or seasons[0] < 12 else max(1, seasons[0] // 4)
    return max(2 * seasons[-1], 28), horizon


def _whole(steps: int, horizon: int) -> int:
    """`steps` rounded down to whole horizons, at least two."""
    return max(2, steps // horizon) * horizon
