"""How well heartbeats are labelled (ANSI/AAMI EC57); for the intervals, patients are drawn anew.

As the standard has it, a fusion beat called V is no mistake of V, and an unknown beat (Q) nobody's.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lstm_apps.metrics.bootstrap import Estimate, Metric, Scores, resamples

CLASSES = ("N", "S", "V", "F")
NONE = ""  # no beat
SCORED = ("N", "S", "V")  # F is what even people do not agree on
MACRO_F1 = Metric(
    "macro F1", "higher", "mean over N, S and V of the F1 of each, beats of all patients together"
)
V_SENSITIVITY = Metric("V sensitivity", "higher", "share of the ventricular ectopic beats that are found")
V_PREDICTIVITY = Metric(
    "V predictivity", "higher", "share of the beats called V that are; F and Q do not count"
)
S_SENSITIVITY = Metric(
    "S sensitivity", "higher", "share of the supraventricular ectopic beats that are found"
)
S_PREDICTIVITY = Metric("S predictivity", "higher", "share of the beats called S that are; Q does not count")
ANNOTATED = (
    MACRO_F1,
    V_SENSITIVITY,
    V_PREDICTIVITY,
    S_SENSITIVITY,
    S_PREDICTIVITY,
)  # as `_from_confusion` has them
# Without the one patient who has nine tenths of the S beats.
WITHOUT_232 = tuple(
    replace(metric, name=f"{metric.name} without 232", meaning=f"{metric.meaning}, of the other patients")
    for metric in ANNOTATED
)
FROM_SIGNAL = Metric(
    "macro F1 from the signal",
    "higher",
    "with R peaks that were detected, not annotated; missed and invented beats count as mistakes",
)
METRICS = (*ANNOTATED, *WITHOUT_232, FROM_SIGNAL)
# Why one of `ANNOTATED` may have no value.
_NOTHING = (
    "of N, S and V there is one that no beat of the test part is or was called",
    *(
        text.format(c)
        for c in ("V", "S")
        for text in ("no beat of the test part is {}", "no beat of the test part was called {}")
    ),
)
Labelled = tuple[np.ndarray, np.ndarray]  # of the beats of a record: what they are, what they were called
_ROWS, _COLUMNS = (*CLASSES, "Q", NONE), (*CLASSES, NONE)  # what beats are, and what they are called


def scores(patients: Sequence[str], annotated: Sequence[Labelled], detected: Sequence[Labelled]) -> Scores:
    """The metrics of beats whose place is known, and `FROM_SIGNAL` of those that were found: there NONE is
    what an invented beat is, and what a missed one was called.

    Args:
        patients: Whose each record is.
        annotated: Of each record.
        detected: Of each record.
    """
    of, of_detected = ({p: np.zeros((len(_ROWS), len(_COLUMNS)), int) for p in patients} for _ in range(2))
    for patient, labelled, in_signal in zip(patients, annotated, detected, strict=True):
        of[patient] += _confusion(*labelled)
        of_detected[patient] += _confusion(*in_signal)
    found = _estimates(of, ANNOTATED) | _estimates(of_detected, (FROM_SIGNAL,))
    if "232" in of and len(of) > 1:
        found |= _estimates({p: table for p, table in of.items() if p != "232"}, WITHOUT_232)
    return found


def _estimates(of_patients: dict[str, np.ndarray], metrics: Sequence[Metric]) -> Scores:
    """The numbers of `_from_confusion` of all patients' confusion matrices; called as `metrics`, which may be fewer."""
    tables = np.array(list(of_patients.values()))
    draws = [
        _from_confusion(tables[patients].sum(axis=0))
        for patients in resamples(len(tables))
        if len(tables) > 1
    ]
    return {
        metric.name: Estimate.over(value, [d[i] for d in draws], _NOTHING[i])
        for i, (metric, value) in enumerate(zip(metrics, _from_confusion(tables.sum(axis=0)), strict=False))
    }


def _confusion(true: np.ndarray, found: np.ndarray) -> np.ndarray:
    """(rows, columns) counts."""
    return np.array([[((true == t) & (found == f)).sum() for f in _COLUMNS] for t in _ROWS])


def _from_confusion(table: np.ndarray) -> tuple[float, ...]:
    """`ANNOTATED` of a confusion matrix; NaN where there is nothing to count."""
    table = table.copy()
    table[_ROWS.index("Q")] = table[_ROWS.index("F"), _COLUMNS.index("V")] = 0
    hit, true, called = (
        a[: len(CLASSES)].astype(float) for a in (np.diag(table), table.sum(axis=1), table.sum(axis=0))
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        sensitivity, predictivity, f1 = hit / true, hit / called, 2 * hit / (true + called)
    n, s, v = (CLASSES.index(c) for c in SCORED)
    macro = f1[[n, s, v]].mean()
    return float(macro), *(float(x[c]) for c in (v, s) for x in (sensitivity, predictivity))
