"""Metrics of early warning: of risks hour by hour, and of alarms. Intervals: bootstrap over patients."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from lstm_apps.healthcare.vitals.features import Alarms
from lstm_apps.metrics.bootstrap import Estimate, Metric, Scores

ALARMS_A_DAY = 2.0  # for each patient; more of them tire a ward
AUROC = Metric("AUROC", "higher", "how often an hour before an event gets a higher risk than another hour")
AUPRC = Metric("AUPRC", "higher", "average precision; a random score gets the share of hours before an event")
BRIER = Metric("Brier score", "lower", "mean squared difference of risk and label")
CALIBRATION = Metric(
    "calibration error",
    "lower",
    "mean difference of risk and share of events, over tenths of the hours",
)
ALARM_RATE = Metric(
    "alarms per patient day", ALARMS_A_DAY, "alarms at the threshold, which is chosen without the test part"
)
EVENT_RECALL = Metric(
    "event recall",
    "higher",
    "share of the events after a stable hour that an alarm preceded, at that threshold",
)
LEAD_TIME = Metric("lead time", "higher", "median hours from the first alarm to the event that it preceded")
BINS = 10
_DRAWS = 300
_THRESHOLDS = 100  # candidates


@dataclass(frozen=True)
class Hours:
    """Stable hours, those at which an alarm may be raised, stay by stay in the order of time."""

    patient: np.ndarray  # (hours,)
    stay: np.ndarray  # (hours,) number of the stay
    end: np.ndarray  # (hours,) seconds since 1970
    label: np.ndarray  # (hours,) booleans: whether an event begins within the horizon
    onset: np.ndarray  # (hours,) seconds since 1970 of that event, 0 where there is none
    eligible: np.ndarray  # (hours,) booleans: whether the label is certain, so that the risk can be scored
    monitored: Mapping[str, int]  # patient -> all hours of the stays, stable or not

    def __len__(self) -> int:
        return len(self.end)

    def where(self, chosen: np.ndarray) -> "Hours":
        """The hours at which the mask `chosen` (hours,) is true."""
        names = ("patient", "stay", "end", "label", "onset", "eligible")
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})


def hour_scores(hours: Hours, risk: np.ndarray, probability: bool = True) -> Scores:
    """Score risks at the eligible hours.

    Args:
        hours: The stable hours.
        risk: (hours,) floats.
        probability: Whether risks are probabilities; points, such as those of NEWS2, are not.

    Returns:
        AUROC and AUPRC, which have no value where all labels are the same; of probabilities also Brier score
        and calibration error.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    eligible, risk = hours.where(hours.eligible), risk[hours.eligible]
    figures = {AUROC: roc_auc_score, AUPRC: average_precision_score}
    if probability:
        figures |= {BRIER: _brier, CALIBRATION: _calibration_error}
    if not len(eligible):
        return dict.fromkeys((m.name for m in figures), Estimate(None, reason="no hour is eligible"))
    found = {}
    if not 0 < (events := int(eligible.label.sum())) < len(eligible):
        reason = f"{events} of {len(eligible)} hours precede an event: it takes some of both kinds"
        found = {m.name: Estimate(None, reason=reason) for m in (AUROC, AUPRC)}
        del figures[AUROC], figures[AUPRC]
    draws = [d for d in _drawn(eligible.patient) if 0 < eligible.label[d].sum() < len(d)]
    return found | {
        metric.name: Estimate.over(of(eligible.label, risk), [of(eligible.label[d], risk[d]) for d in draws])
        for metric, of in figures.items()
    }


def alarm_scores(hours: Hours, alarm: np.ndarray) -> Scores:
    """Score alarms at all stable hours, over all the time that patients are monitored.

    Args:
        hours: The stable hours.
        alarm: (hours,) booleans: where an alarm is raised, see `alarms`.

    Returns:
        Alarms per patient day, event recall and median lead time in hours; the last two have no value where
        no event follows a stable hour or no alarm precedes an event.
    """
    table, lead_times = _alarm_table(hours, alarm)
    patients = np.arange(len(table))
    rng = np.random.default_rng(0)
    drawn = np.stack([table[rng.choice(patients, len(patients))].sum(axis=0) for _ in range(_DRAWS)])

    def ratio(over: np.ndarray, under: np.ndarray, factor: float = 1.0) -> np.ndarray:
        return factor * over / np.maximum(under, 1)

    raised, monitored, detected, all_events = table.sum(axis=0)
    scores = {
        ALARM_RATE.name: Estimate.over(
            float(ratio(raised, monitored, 24)), ratio(drawn[:, 0], drawn[:, 1], 24)
        )
    }
    if all_events:
        scores[EVENT_RECALL.name] = Estimate.over(
            float(ratio(detected, all_events)), ratio(drawn[:, 2], drawn[:, 3])
        )
    else:
        scores[EVENT_RECALL.name] = Estimate(None, reason="no event follows a stable hour")
    if lead_times:
        scores[LEAD_TIME.name] = Estimate(float(np.median(lead_times)))
    else:
        scores[LEAD_TIME.name] = Estimate(None, reason="no alarm precedes an event")
    return scores


def threshold_for(hours: Hours, risk: np.ndarray) -> float:
    """The threshold of risks (hours,) at which the alarm rate is closest to `ALARMS_A_DAY`."""
    tried = np.unique(np.quantile(risk, np.linspace(0.3, 0.999, _THRESHOLDS)))
    return float(min(tried, key=lambda t: abs(alarm_rate(hours, alarms(hours, risk, t)) - ALARMS_A_DAY)))


def alarm_rate(hours: Hours, alarm: np.ndarray) -> float:
    """Alarms per patient day of monitoring; `alarm` is (hours,) booleans."""
    patients = set(hours.patient.tolist())
    return float(24 * alarm.sum() / max(1, sum(hours.monitored[p] for p in patients)))


def alarm_curve(hours: Hours, risk: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Alarms per patient day and event recall over thresholds: two arrays (thresholds,)."""
    points = []
    for threshold in np.unique(np.quantile(risk, np.linspace(0, 1, 40))):
        table, _ = _alarm_table(hours, alarms(hours, risk, threshold))
        raised, monitored, detected, events = table.sum(axis=0)
        points.append((24 * raised / monitored, detected / max(1, events)))
    rates, shares = zip(*points, strict=True)
    return np.array(rates), np.array(shares)


def alarms(hours: Hours, risk: np.ndarray, threshold: float) -> np.ndarray:
    """(hours,) booleans: where an alarm is raised, from risks (hours,)."""
    found = np.zeros(len(hours), bool)
    of_stay = None
    for i in range(len(hours)):
        if of_stay is None or hours.stay[i] != hours.stay[i - 1]:
            of_stay = Alarms(threshold)
        found[i] = of_stay.update(int(hours.end[i]), float(risk[i]))
    return found


def _alarm_table(hours: Hours, alarm: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """Two things: (patients, 4) alarms, monitored hours, events detected and all events that follow a stable
    hour; and the hours from the first alarm to each event detected."""
    patients, of = np.unique(hours.patient, return_inverse=True)
    table = np.zeros((len(patients), 4))
    np.add.at(table[:, 0], of, alarm)
    table[:, 1] = [hours.monitored[p] for p in patients.tolist()]
    lead_times: dict[tuple[int, int], float | None] = {}
    for i in np.flatnonzero(hours.label):
        event = (int(hours.stay[i]), int(hours.onset[i]))
        if event not in lead_times:
            table[of[i], 3] += 1
            lead_times[event] = None
        if alarm[i] and lead_times[event] is None:
            table[of[i], 2] += 1
            lead_times[event] = (event[1] - int(hours.end[i])) / 3600
    return table, [hours for hours in lead_times.values() if hours is not None]


def reliability(label: np.ndarray, risk: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The reliability diagram of labels and risks (hours,): mean risk, share of events and number of hours of
    each tenth of the hours, by rising risk; three arrays (tenths,)."""
    tenths = [t for t in np.array_split(np.argsort(risk, kind="stable"), BINS) if len(t)]
    return (
        np.array([risk[t].mean() for t in tenths]),
        np.array([label[t].mean() for t in tenths]),
        np.array([len(t) for t in tenths]),
    )


def _brier(label: np.ndarray, risk: np.ndarray) -> float:
    return float(np.mean((risk - label) ** 2))


def _calibration_error(label: np.ndarray, risk: np.ndarray) -> float:
    means, shares, sizes = reliability(label, risk)
    return float((np.abs(means - shares) * sizes).sum() / sizes.sum())


def _drawn(patient: np.ndarray) -> list[np.ndarray]:
    """Bootstrap samples: positions of the hours of as many patients as there are, drawn with replacement."""
    hours = [np.flatnonzero(patient == p) for p in np.unique(patient)]
    rng = np.random.default_rng(0)
    return [np.concatenate([hours[i] for i in rng.choice(len(hours), len(hours))]) for _ in range(_DRAWS)]
