"""Honest baselines of early warning, from the same hours, tuned by leaving out training patients."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from lstm_apps.healthcare.vitals.readings import NAMES

NEWS2, LAST_MAP = "NEWS2 without consciousness and oxygen", "last MAP alone"
# Points, not probabilities: they rank hours, and say nothing of how likely an event is.
SCORES_ONLY = (NEWS2, LAST_MAP)
FITTED = (
    "last values, logistic regression",
    "summaries, logistic regression",
    "summaries, gradient-boosted trees",
)
_COUNT = len(NAMES)
_WINDOWS = (6, 24)  # hours that summaries are of
_FOLDS = 5
_TREES = (60, 150)  # that are boosted

# Royal College of Physicians (2017): upper bounds of each range, and its points.
_NEWS2: dict[str, tuple[tuple[float, ...], tuple[int, ...]]] = {
    "respiratory_rate": ((8, 11, 20, 24), (3, 1, 0, 2, 3)),
    "spo2": ((91, 93, 95), (3, 2, 1, 0)),
    "sbp": ((90, 100, 110, 219), (3, 2, 1, 0, 3)),
    "heart_rate": ((40, 50, 90, 110, 130), (3, 1, 0, 1, 2, 3)),
    "temp_c": ((35.0, 36.0, 38.0, 39.0), (3, 1, 0, 1, 2)),
}


def last_values(rows: np.ndarray) -> np.ndarray:
    """(hours, vital signs) of hours (hours, columns), NaN where one was never measured."""
    return rows[:, :_COUNT]


def news2(rows: np.ndarray) -> np.ndarray:
    """(hours,) points of NEWS2 for the last values; one that was never measured has none. Consciousness
    and supplementary oxygen are no vital signs of a monitor and count as normal."""
    total = np.zeros(len(rows))
    for name, (bounds, points) in _NEWS2.items():
        values = rows[:, NAMES.index(name)]
        known = ~np.isnan(values)
        total[known] += np.array(points)[np.searchsorted(bounds, values[known], side="left")]
    return total


def last_map(rows: np.ndarray) -> np.ndarray:
    """(hours,) the last mean arterial pressure, upside down: the lower the more risk."""
    values = rows[:, NAMES.index("map")]
    return -np.where(np.isnan(values), 80.0, values)


def summaries(rows: np.ndarray) -> np.ndarray:
    """(hours, features) of the hours of one stay: last values, hours since they were measured, and over
    each of `_WINDOWS` mean, lowest, highest, spread, trend and how often measured. Nothing looks ahead."""
    import pandas as pd

    last, low, high, measured, since = (pd.DataFrame(p) for p in np.split(rows, 5, axis=1))
    columns = [last, since]
    for hours in _WINDOWS:
        window = last.rolling(hours, min_periods=1)
        columns += [
            window.mean(),
            low.rolling(hours, min_periods=1).min(),
            high.rolling(hours, min_periods=1).max(),
            last.rolling(hours, min_periods=2).std(),
            (last - last.shift(hours - 1)) / hours,
            measured.rolling(hours, min_periods=1).sum(),
        ]
    return np.concatenate([c.to_numpy() for c in columns], axis=1)


def risks(
    train: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray, np.ndarray]],
    test: Sequence[tuple[np.ndarray, np.ndarray]],
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Each baseline's name, its risks of the training hours that are stable, each found without the
    patient's own, and its risks of the test hours that are stable.

    Args:
        train: Of each stay the patient, the hours, which of them are stable, which are learnt from, and
            what came after each.
        test: Of each stay the hours and which are stable.
    """
    from threadpoolctl import threadpool_limits

    for name, points in ((NEWS2, news2), (LAST_MAP, last_map)):
        parts = [(r, s) for _, r, s, _, _ in train], test
        known, unknown = (np.concatenate([points(r)[s] for r, s in part]) for part in parts)
        yield name, known, unknown
    patients = np.concatenate([[p] * int(s.sum()) for p, _, s, _, _ in train])
    learnt = np.concatenate([a[s] for _, _, s, a, _ in train])
    answers = np.concatenate([y[s] for _, _, s, _, y in train])
    for name, features, grid in zip(FITTED, (last_values, summaries, summaries), _grids(), strict=True):
        known, unknown = _table(features, [(r, s) for _, r, s, _, _ in train]), _table(features, test)
        with threadpool_limits(1, "openmp"):  # a second thread gains little, and spins where cores are busy
            model, held_out = _best(grid, known, answers, patients, learnt)
            found = model.fit(known[learnt], answers[learnt]).predict_proba(unknown)[:, 1]
        yield name, held_out, found


def _table(features: Callable, stays: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    return np.concatenate([features(rows)[stable] for rows, stable in stays])


def _grids() -> tuple[list[Any], ...]:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def linear(strength: float) -> Any:
        return make_pipeline(
            SimpleImputer(keep_empty_features=True),
            StandardScaler(),
            LogisticRegression(C=strength, max_iter=500),
        )

    def boosted(leaves: int, trees: int) -> Any:
        return HistGradientBoostingClassifier(
            max_leaf_nodes=leaves,
            max_iter=trees,
            learning_rate=0.05,
            l2_regularization=10.0,
            min_samples_leaf=50,
            early_stopping=False,
            random_state=0,
        )

    return (
        [linear(c) for c in (0.001, 0.01, 0.1, 1.0)],
        [linear(c) for c in (1e-4, 1e-3, 1e-2)],
        [boosted(leaves, trees) for leaves in (4, 8, 16) for trees in _TREES],
    )


def _best(
    grid: list[Any], table: np.ndarray, answers: np.ndarray, patients: np.ndarray, learnt: np.ndarray
) -> tuple[Any, np.ndarray]:
    """The model of least log loss on patients left out, and what it says of all their hours."""
    from sklearn.metrics import log_loss
    from sklearn.model_selection import GroupKFold

    folds = GroupKFold(min(_FOLDS, len(set(patients))))

    def held_out(model: Any) -> np.ndarray:
        found = np.zeros(len(table))
        for known, unknown in folds.split(table, groups=patients):
            known = known[learnt[known]]
            if len(set(answers[known])) < 2:  # all who deteriorate are left out at once
                found[unknown] = answers[known].mean()
                continue
            found[unknown] = model.fit(table[known], answers[known]).predict_proba(table[unknown])[:, 1]
        return found

    found = [held_out(m) for m in grid]
    losses = [log_loss(answers[learnt], f[learnt], labels=[False, True]) for f in found]
    best = int(np.argmin(losses))
    return grid[best], found[best]
