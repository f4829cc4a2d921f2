"""Metrics of heartbeat classification (ANSI/AAMI EC57). Intervals: bootstrap over patients.

By the standard, a fusion beat (F) predicted as V is no error of V, and unknown beats (Q) do not count.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lstm_apps.metrics.bootstrap import Estimate, Metric, Scores, resamples

CLASSES = ("N", "S", "V", "F")
NONE = ""  # the label of no beat
SCORED = ("N", "S", "V")  # on F even experts do not agree
MACRO_F1 = Metric("macro F1", "higher", "mean of the F1 of N, S and V, over the beats of all patients pooled")
V_SENSITIVITY = Metric("V sensitivity", "higher", "share of ventricular ectopic beats that are predicted V")
V_PREDICTIVITY = Metric(
    "V predictivity", "higher", "share of beats predicted V that are V; F and Q do not count"
)
S_SENSITIVITY = Metric(
    "S sensitivity", "higher", "share of supraventricular ectopic beats that are predicted S"
)
S_PREDICTIVITY = Metric(
    "S predictivity", "higher", "share of the beats predicted S that are S; Q does not count"
)
ANNOTATED = (
    MACRO_F1,
    V_SENSITIVITY,
    V_PREDICTIVITY,
    S_SENSITIVITY,
    S_PREDICTIVITY,
)  # in the order of `_from_confusion`
# Record 232 has nine tenths of the S beats.
WITHOUT_232 = tuple(
    replace(metric, name=f"{metric.name} without 232", meaning=f"{metric.meaning}, of the other patients")
    for metric in ANNOTATED
)
FROM_SIGNAL = Metric(
    "macro F1 from the signal",
    "higher",
    "with detected instead of annotated R peaks; missed and false beats count as errors",
)
METRICS = (*ANNOTATED, *WITHOUT_232, FROM_SIGNAL)
# Why one of `ANNOTATED` may have no value.
_NOTHING = (
    "one of N, S and V is neither label nor prediction of any beat of the test part",
    *(
        text.format(c)
        for c in ("V", "S")
        for text in ("no beat of the test part is {}", "no beat of the test part was predicted {}")
    ),
)
Labelled = tuple[np.ndarray, np.ndarray]  # of a record: labels (beats,) and predictions (beats,)
_ROWS, _COLUMNS = (*CLASSES, "Q", NONE), (*CLASSES, NONE)  # labels, and predictions


def scores(patients: Sequence[str], annotated: Sequence[Labelled], detected: Sequence[Labelled]) -> Scores:
    """The metrics of annotated beats, and `FROM_SIGNAL` of detected beats: there NONE is the label of a false
    beat and the prediction of a missed one.

    Args:
        patients: The patient of each record.
        annotated: Labels and predictions of each record at annotated R peaks.
        detected: The same at detected R peaks.

    Returns:
        `METRICS`; those without 232 only if that record is among the patients.
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
    """`_from_confusion` of the patients' confusion matrices pooled, under the names of `metrics`."""
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
    """The confusion matrix (rows, columns) of a record."""
    return np.array([[((true == t) & (found == f)).sum() for f in _COLUMNS] for t in _ROWS])


def _from_confusion(table: np.ndarray) -> tuple[float, ...]:
    """`ANNOTATED` of a confusion matrix; NaN where there is nothing to count."""
    table = table.copy()
    table[_ROWS.index("Q")] = table[_ROWS.index("F"), _COLUMNS.index("V")] = 0
    hit, true, predicted = (
        a[: len(CLASSES)].astype(float) for a in (np.diag(table), table.sum(axis=1), table.sum(axis=0))
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        sensitivity, predictivity, f1 = hit / true, hit / predicted, 2 * hit / (true + predicted)
    n, s, v = (CLASSES.index(c) for c in SCORED)
    macro = f1[[n, s, v]].mean()
    return float(macro), *(float(x[c]) for c in (v, s) for x in (sensitivity, predictivity))
