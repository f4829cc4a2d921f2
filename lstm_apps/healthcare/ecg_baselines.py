"""Honest baselines of heartbeat classification, tuned by leaving out patients of the training part."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

NAMES = ("logistic regression", "random forest")
_FOLDS = 5


def labels(
    parts: Sequence[tuple[str, np.ndarray, np.ndarray]], test: Sequence[np.ndarray], classes: tuple[str, ...]
) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Each baseline's name and its labels of the test records, beat by beat, from the same table as the
    model's.

    Args:
        parts: Patient, table and labels of the training part.
        test: Tables of the test records.
        classes: What they are to tell apart; other beats of the training part are left out.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    table = np.concatenate([t for _, t, _ in parts])
    known = np.concatenate([x for _, _, x in parts])
    patient = np.concatenate([[name] * len(x) for name, _, x in parts])
    kept = np.isin(known, classes)
    grids = (
        [
            make_pipeline(StandardScaler(), LogisticRegression(C=c, class_weight="balanced", max_iter=300))
            for c in (0.001, 0.01, 0.1)
        ],
        [
            RandomForestClassifier(
                100, min_samples_leaf=leaf, max_features=0.2, class_weight=weight, random_state=0, n_jobs=-1
            )
            for leaf, weight in ((5, "balanced_subsample"), (20, "balanced_subsample"), (5, None))
        ],
    )
    for name, grid in zip(NAMES, grids, strict=True):
        model = _best(grid, table[kept], known[kept], patient[kept]).fit(table[kept], known[kept])
        # In a record there may be no beat at all.
        yield name, [model.predict(t) if len(t) else np.array([], known.dtype) for t in test]


def _best(grid: list[Any], table: np.ndarray, known: np.ndarray, patient: np.ndarray) -> Any:
    from sklearn.metrics import f1_score
    from sklearn.model_selection import GroupKFold, cross_val_predict

    if len(set(patient)) < 2:
        return grid[0]
    folds = GroupKFold(min(_FOLDS, len(set(patient))))

    def quality(model: Any) -> float:
        found = cross_val_predict(model, table, known, groups=patient, cv=folds)
        return float(f1_score(known, found, average="macro"))

    return max(grid, key=quality)
