"""Honest baselines of heartbeat classification, tuned by leaving out patients of the training part."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

NAMES = ("logistic regression", "random forest")
_FOLDS = 5
_TREES, _TREES_TO_TUNE = 100, 30
_SHARE_TO_TUNE = 0.2  # of the beats, drawn for each tree
_ODDS = (0.0, -1.0, -2.0)  # added to the log odds of S, which weights and synthetic beats make too likely
Part = tuple[str, np.ndarray, np.ndarray]  # patient, table, labels
Beats = tuple[np.ndarray, ...]  # (beats,) patients, (beats, columns) table, (beats,) labels


def labels(
    parts: Sequence[Part],
    synthetic: Sequence[Sequence[Part]],
    test: Sequence[np.ndarray],
    classes: tuple[str, ...],
) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Each baseline's name and its labels of the test records, one array (beats,) a record, from the columns
    that the model gets.

    Args:
        parts: The training records.
        synthetic: Alternative sets of synthetic records to add; each baseline gets the one that helps it on
            left-out patients, or none.
        test: Tables (beats, columns) of the test records.
        classes: The classes to distinguish; training beats of other classes are left out.
    """
    recorded, *more = (_pooled(part, classes) for part in (parts, *synthetic))
    helps = [None, *more]
    for name, grid in zip(NAMES, _grids(), strict=True):
        model, help_, odds = _best([(m, h) for m in grid for h in helps], recorded)
        if "n_estimators" in model.get_params():  # a forest: it was tuned with fewer trees, of fewer beats
            model.set_params(n_estimators=_TREES, max_samples=None)
        _, table, known = _joined(recorded, help_)
        model = _fitted(model, table, known)
        # In a record there may be no beat at all.
        yield name, [_predicted(model, t, [odds])[0] if len(t) else np.array([], known.dtype) for t in test]


def _grids() -> tuple[list[Any], ...]:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def forest(leaf: int, weight: str | None) -> Any:
        return RandomForestClassifier(
            _TREES_TO_TUNE,
            min_samples_leaf=leaf,
            class_weight=weight,
            max_samples=_SHARE_TO_TUNE,
            random_state=0,
            n_jobs=-1,
        )

    return (
        [
            make_pipeline(
                StandardScaler(),
                # By far the fastest with so many more beats than columns; of three classes since 1.7.
                LogisticRegression(C=c, class_weight="balanced", solver="newton-cholesky"),
            )
            for c in (0.001, 0.01, 0.1)
        ],
        [forest(5, "balanced_subsample"), forest(20, "balanced_subsample"), forest(5, None)],
    )


def _fitted(model: Any, table: np.ndarray, known: np.ndarray) -> Any:
    """`model`, or, where all beats are of one class, that class."""
    from sklearn.dummy import DummyClassifier
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):  # on matrices this small its threads wait more than they work
        return (model if len(set(known)) > 1 else DummyClassifier()).fit(table, known)


def _predicted(model: Any, table: np.ndarray, odds: Sequence[float]) -> list[np.ndarray]:
    """For each of `odds`, added to the log odds of S: the labels (beats,) of a table."""
    with np.errstate(divide="ignore"):
        learnt = np.log(model.predict_proba(table))
    return [model.classes_[(learnt + o * (model.classes_ == "S")).argmax(axis=1)] for o in odds]


def _pooled(parts: Sequence[Part], classes: tuple[str, ...]) -> Beats:
    """All beats of the classes, pooled."""
    patient = np.concatenate([[name] * len(x) for name, _, x in parts])
    table, known = (np.concatenate([part[i] for part in parts]) for i in (1, 2))
    kept = np.isin(known, classes)
    return patient[kept], table[kept], known[kept]


def _joined(one: Beats, other: Beats | None) -> Beats:
    return one if other is None else tuple(np.concatenate(pair) for pair in zip(one, other, strict=True))


def _best(grid: list[tuple[Any, Beats | None]], recorded: Beats) -> tuple[Any, Beats | None, float]:
    """The model, the synthetic beats and the one of `_ODDS` with the best macro F1 on recorded beats of
    left-out patients."""
    from sklearn.metrics import f1_score
    from sklearn.model_selection import GroupKFold

    patient, table, known = recorded
    if len(set(patient)) < 2:
        return *grid[0], 0.0
    folds = list(GroupKFold(min(_FOLDS, len(set(patient)))).split(table, groups=patient))

    def qualities(model: Any, synthetic: Beats | None) -> list[float]:
        found = np.empty((len(_ODDS), len(known)), known.dtype)
        for kept, left_out in folds:
            learnt = tuple(a[kept] for a in recorded)
            if synthetic is not None:
                of_others = ~np.isin(synthetic[0], patient[left_out])
                learnt = _joined(learnt, tuple(a[of_others] for a in synthetic))
            found[:, left_out] = _predicted(_fitted(model, *learnt[1:]), table[left_out], _ODDS)
        return [float(f1_score(known, row, average="macro")) for row in found]

    tried = [
        (quality, (model, synthetic, odds))
        for model, synthetic in grid
        for quality, odds in zip(qualities(model, synthetic), _ODDS, strict=True)
    ]
    return max(tried, key=lambda t: t[0])[1]
