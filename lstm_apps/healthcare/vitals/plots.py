"""Plots of early warning."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from lstm_apps.application import Plot
from lstm_apps.healthcare.vitals.data import Stay
from lstm_apps.healthcare.vitals.deterioration import Course
from lstm_apps.healthcare.vitals.features import HORIZON, Alarms
from lstm_apps.healthcare.vitals.hours import LOW_MAP, LOW_SPO2
from lstm_apps.healthcare.vitals.metrics import AUROC, Hours, alarm_curve, hour_scores, reliability
from lstm_apps.healthcare.vitals.readings import NAMES

_SHOWN = {"map": ("MAP, mmHg", LOW_MAP), "spo2": ("SpO2, %", LOW_SPO2), "heart_rate": ("pulse, 1/min", None)}


def monitor(courses: Sequence[Course], risks: Sequence[np.ndarray], threshold: float) -> Plot:
    """The stay with most events: last values, risk, alarms and events over hours.

    Args:
        courses: The stays.
        risks: Of each stay (hours,) probabilities.
        threshold: Of alarms.
    """
    chosen = max(range(len(courses)), key=lambda i: len(set(courses[i].onset[courses[i].eligible].tolist())))
    c, risk = courses[chosen], np.where(courses[chosen].stable, risks[chosen], np.nan)
    hours = (c.ends - c.ends[0]) / 3600
    alarms = Alarms(threshold)
    raised = [alarms.update(int(e), float(r)) for e, r in zip(c.ends, risk, strict=True)]
    onsets = (np.unique(c.onset[c.label]) - c.ends[0]) / 3600
    figure = Figure(figsize=(10, 7), layout="constrained")
    axes = figure.subplots(len(_SHOWN) + 1, 1, sharex=True)
    for axis, (name, (label, limit)) in zip(axes, _SHOWN.items(), strict=False):
        axis.plot(hours, c.rows[:, NAMES.index(name)], linewidth=0.9)
        if limit is not None:
            axis.axhline(limit, color="grey", linewidth=0.8, linestyle=":")
        axis.set_ylabel(label)
    axes[-1].plot(hours, risk, color="black", label="risk")
    axes[-1].axhline(threshold, color="grey", linewidth=0.8, linestyle=":", label="threshold")
    axes[-1].plot(hours[raised], risk[raised], "r^", label="alarm")
    axes[-1].set(xlabel="time, h", ylabel="risk", ylim=(0, None))
    for axis in axes:
        for onset in onsets:
            axis.axvline(onset, color="orange", linewidth=0.8, alpha=0.7)
    axes[-1].legend(loc="upper right")
    axes[0].margins(x=0)
    return Plot(
        "stay",
        "A stay",
        f"Last values, and the risk of an event within {HORIZON} hours, at stable hours. Orange: events.",
        figure,
    )


def reliability_plot(hours: Hours, risk: np.ndarray) -> Plot:
    """Reliability diagram of risks (hours,): the share of hours before an event, by risk."""
    means, shares, sizes = reliability(hours.label[hours.eligible], risk[hours.eligible])
    spread = 1.96 * np.sqrt(np.maximum(shares * (1 - shares), 1e-9) / sizes)
    figure = Figure(figsize=(4.5, 4.5), layout="constrained")
    axis = figure.subplots()
    top = 1.1 * max(means.max(), (shares + spread).max())
    axis.plot([0, top], [0, top], color="grey", linewidth=0.8, linestyle=":")
    axis.errorbar(means, shares, spread, marker="o", linewidth=1, capsize=2)
    axis.set(xlabel="risk", ylabel="share of hours before an event", xlim=(0, top), ylim=(0, top))
    return Plot(
        "reliability",
        "Reliability",
        "Tenths of the hours by risk. Bars: 95 %, as if the hours of a patient were independent.",
        figure,
    )


def alarm_curves(hours: Hours, risks: Mapping[str, np.ndarray]) -> Plot:
    """Event recall over the alarm rate, of the risks (hours,) of each model."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axis = figure.subplots()
    for name, risk in risks.items():
        axis.plot(*alarm_curve(hours, risk), marker=".", label=name)
    axis.set(xlabel="alarms per patient day", ylabel="event recall", ylim=(0, 1))
    axis.legend()
    return Plot(
        "alarms",
        "Alarms",
        f"After an alarm there is no other for {HORIZON} hours. Each point is a threshold.",
        figure,
    )


def subgroups(stays: Mapping[str, Stay], hours: Hours, risk: np.ndarray) -> Plot:
    """A table of AUROC by sex and age.

    Args:
        stays: Patient -> one of their stays.
        hours: The stable hours.
        risk: (hours,) probabilities.
    """
    eligible, risk = hours.where(hours.eligible), risk[hours.eligible]
    of = [stays[p] for p in eligible.patient.tolist()]
    sex = np.array([stay.sex or "unknown" for stay in of])
    age = np.array([np.nan if stay.age is None else stay.age for stay in of])
    groups = {"all": np.ones(len(eligible), bool), **{s: sex == s for s in sorted(set(sex.tolist()))}}
    groups |= {"under 65": age < 65, "65 and older": age >= 65}
    rows = []
    for name, members in groups.items():
        if not members.any():
            continue
        part = eligible.where(members)
        found = hour_scores(part, risk[members])[AUROC.name]
        figures = "" if found.value is None else f"{found.value:.2f}"
        if found.interval:
            figures += " ({:.2f} to {:.2f})".format(*found.interval)
        rows.append(
            [
                name,
                str(len(set(part.patient.tolist()))),
                str(len(part)),
                f"{part.label.mean():.1%}",
                figures,
            ]
        )
    figure = Figure(figsize=(7, 0.4 * len(rows) + 0.8), layout="constrained")
    axis = figure.subplots()
    axis.set_axis_off()
    heads = ["tested", "patients", "hours", "before an event", "AUROC, 95 %"]
    table = axis.table(cellText=rows, colLabels=heads, loc="center")
    table.auto_set_font_size(False)
    table.set_fontsize(9)
    table.scale(1, 1.4)
    return Plot(
        "subgroups", "Subgroups", "Few patients: with intervals this wide, differences mean little.", figure
    )
