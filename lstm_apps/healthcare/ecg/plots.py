"""Plots of heartbeat classification."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from lstm_apps.application import Plot
from lstm_apps.healthcare.ecg.data import EcgRecord


def confusion_by_patient(
    patients: Sequence[str], true: Sequence[np.ndarray], found: Sequence[np.ndarray], classes: Sequence[str]
) -> Plot:
    """A confusion matrix of each patient.

    Args:
        patients: The patient of each record.
        true, found: Labels and predictions (beats,) of each record.
        classes: Names of the classes.
    """
    tables = {p: np.zeros((len(classes), len(classes)), int) for p in patients}
    for patient, t, f in zip(patients, true, found, strict=True):
        tables[patient] += [[((t == a) & (f == b)).sum() for b in classes] for a in classes]
    columns = min(5, len(tables))
    rows = -(-len(tables) // columns)
    figure = Figure(figsize=(2.2 * columns, 2.4 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[len(tables) :]:
        axis.set_axis_off()
    for axis, (patient, table) in zip(axes, tables.items(), strict=False):
        axis.imshow(table / np.maximum(1, table.sum(axis=1, keepdims=True)), cmap="Blues", vmin=0, vmax=1)
        for (i, j), count in np.ndenumerate(table):
            if count:
                axis.text(j, i, str(count), ha="center", va="center", fontsize=7)
        axis.set(xticks=range(len(classes)), yticks=range(len(classes)), title=patient)
        axis.set_xticklabels(classes)
        axis.set_yticklabels(classes)
    return Plot("beats-by-patient", "Beats by patient", "Rows: labels; columns: predictions.", figure)


def strip(records: Sequence[EcgRecord], true: Sequence[np.ndarray], found: Sequence[np.ndarray]) -> Plot:
    """Ten seconds of each of three records, around a beat that is not N; labels are (beats,)."""
    figure = Figure(figsize=(10, 6), layout="constrained")
    chosen = sorted(range(len(records)), key=lambda i: -(true[i] != "N").mean())[:3]
    for axis, i in zip(figure.subplots(3, 1), chosen, strict=False):
        record, odd = records[i], np.flatnonzero(true[i] != "N")
        middle = record.peaks[odd[len(odd) // 2] if len(odd) else len(true[i]) // 2]
        begin = max(0, int(middle - 5 * record.rate))
        part = record.signal[begin : begin + int(10 * record.rate)]
        axis.plot((begin + np.arange(len(part))) / record.rate, part, linewidth=0.8)
        for peak, t, f in zip(record.peaks[:-1], true[i], found[i], strict=True):
            if begin <= peak < begin + len(part):
                colour = "black" if t == f else "red"
                axis.text(
                    peak / record.rate, part.max(), t if t == f else f"{t}, predicted {f}", color=colour
                )
        axis.set(ylabel=f"{record.name}, mV", xlabel="time, s")
        axis.margins(x=0)
    return Plot(
        "beats",
        "Beats in the ECG",
        "Above each beat its label; red where the prediction differs.",
        figure,
    )
