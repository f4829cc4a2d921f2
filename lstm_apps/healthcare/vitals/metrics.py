"""How good risks are, hour by hour and as alarms; for the intervals, patients are drawn anew."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from lstm_apps.healthcare.vitals.features import Alarms
from lstm_apps.metrics.bootstrap import Estimate, Metric, Scores

ALARMS_A_DAY = 2.0  # that a ward is ready to hear for each patient
AUROC = Metric("AUROC", "higher", "how often an hour before an event has more risk than another hour")
AUPRC = Metric("AUPRC", "higher", "average precision; chance is the share of hours before an event")
BRIER = Metric("Brier score", "lower", "mean squared distance of the risk from what came")
CALIBRATION = Metric(
    "calibration error", "lower", "mean distance of risk and share of events, over tenths of the hours"
)
ALARM_RATE = Metric(
    "alarms per patient day", ALARMS_A_DAY, "how many there are at the threshold found without the test part"
)
FORETOLD = Metric(
    "events foretold",
    "higher",
    "share of the events after a stable hour that an alarm came before, at that threshold",
)
LEAD_TIME = Metric("lead time", "higher", "median hours from the alarm to the event that it foretold")
BINS = 10
_DRAWS = 300
_THRESHOLDS = 100  # that are tried


@dataclass(frozen=True)
class Hours:
    """Stable hours, those at which there may be an alarm, stay by stay in the order of time."""

    patient: np.ndarray  # (hours,)
    stay: np.ndarray  # (hours,) a number for each
    end: np.ndarray  # (hours,) seconds since 1970
    comes: np.ndarray  # (hours,) of booleans: whether an event comes
    onset: np.ndarray  # (hours,) seconds since 1970 of the event, where one comes
    asked: np.ndarray  # (hours,) of booleans: whether it is known for sure what came: risks are judged there
    monitored: Mapping[str, int]  # by patient: all hours of the stays, stable or not

    def __len__(self) -> int:
        return len(self.end)

    def where(self, chosen: np.ndarray) -> "Hours":
        """The hours chosen by a mask."""
        names = ("patient", "stay", "end", "comes", "onset", "asked")
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})


def hour_scores(hours: Hours, risk: np.ndarray, probability: bool = True) -> Scores:
    """AUROC and AUPRC of risks (hours,) at the hours that are asked of; Brier score and calibration error if
    they are probabilities. The first two have no value where all hours or none come before an event."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    asked, risk = hours.where(hours.asked), risk[hours.asked]
    figures = {AUROC: roc_auc_score, AUPRC: average_precision_score}
    if probability:
        figures |= {BRIER: _brier, CALIBRATION: _calibration_error}
    if not len(asked):
        return dict.fromkeys((m.name for m in figures), Estimate(None, reason="it is asked of no hour"))
    found = {}
    if not 0 < (events := int(asked.comes.sum())) < len(asked):
        reason = f"{events} of {len(asked)} hours come before an event: there is nothing to tell apart"
        found = {m.name: Estimate(None, reason=reason) for m in (AUROC, AUPRC)}
        del figures[AUROC], figures[AUPRC]
    draws = [d for d in _drawn(asked.patient) if 0 < asked.comes[d].sum() < len(d)]
    return found | {
        metric.name: Estimate.over(of(asked.comes, risk), [of(asked.comes[d], risk[d]) for d in draws])
        for metric, of in figures.items()
    }


def alarm_scores(hours: Hours, alarm: np.ndarray) -> Scores:
    """What alarms (hours,) come to, as a ward hears them: at every stable hour, over all the time that
    patients are monitored."""
    table, leads = _alarm_table(hours, alarm)
    patients = np.arange(len(table))
    rng = np.random.default_rng(0)
    drawn = np.stack([table[rng.choice(patients, len(patients))].sum(axis=0) for _ in range(_DRAWS)])

    def ratio(over: np.ndarray, under: np.ndarray, factor: float = 1.0) -> np.ndarray:
        return factor * over / np.maximum(under, 1)

    alarms, monitored, foretold, all_events = table.sum(axis=0)
    scores = {
        ALARM_RATE.name: Estimate.over(
            float(ratio(alarms, monitored, 24)), ratio(drawn[:, 0], drawn[:, 1], 24)
        )
    }
    if all_events:
        scores[FORETOLD.name] = Estimate.over(
            float(ratio(foretold, all_events)), ratio(drawn[:, 2], drawn[:, 3])
        )
    else:
        scores[FORETOLD.name] = Estimate(None, reason="no event comes after a stable hour")
    if leads:
        scores[LEAD_TIME.name] = Estimate(float(np.median(leads)))
    else:
        scores[LEAD_TIME.name] = Estimate(None, reason="no alarm came before an event")
    return scores


def threshold_for(hours: Hours, risk: np.ndarray) -> float:
    """The threshold at which there are closest to `ALARMS_A_DAY`."""
    tried = np.unique(np.quantile(risk, np.linspace(0.3, 0.999, _THRESHOLDS)))
    return float(min(tried, key=lambda t: abs(alarm_rate(hours, heard(hours, risk, t)) - ALARMS_A_DAY)))


def alarm_rate(hours: Hours, alarm: np.ndarray) -> float:
    """Alarms per patient day."""
    patients = set(hours.patient.tolist())
    return float(24 * alarm.sum() / max(1, sum(hours.monitored[p] for p in patients)))


def alarm_curve(hours: Hours, risk: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Alarms per patient day, and the share of events foretold, over thresholds."""
    points = []
    for threshold in np.unique(np.quantile(risk, np.linspace(0, 1, 40))):
        alarms, monitored, foretold, events = _alarm_table(hours, heard(hours, risk, threshold))[0].sum(
            axis=0
        )
        points.append((24 * alarms / monitored, foretold / max(1, events)))
    rates, shares = zip(*points, strict=True)
    return np.array(rates), np.array(shares)


def heard(hours: Hours, risk: np.ndarray, threshold: float) -> np.ndarray:
    """(hours,) of booleans: at which there is an alarm."""
    found = np.zeros(len(hours), bool)
    alarms = None
    for i in range(len(hours)):
        if alarms is None or hours.stay[i] != hours.stay[i - 1]:
            alarms = Alarms(threshold)
        found[i] = alarms.hear(int(hours.end[i]), float(risk[i]))
    return found


def _alarm_table(hours: Hours, alarm: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """Of each patient alarms, monitored hours, events foretold and all events that a stable hour came
    before, (patients, 4); and the hours from alarm to event."""
    patients, of = np.unique(hours.patient, return_inverse=True)
    table = np.zeros((len(patients), 4))
    np.add.at(table[:, 0], of, alarm)
    table[:, 1] = [hours.monitored[p] for p in patients.tolist()]
    leads: dict[tuple[int, int], float | None] = {}
    for i in np.flatnonzero(hours.comes):
        event = (int(hours.stay[i]), int(hours.onset[i]))
        if event not in leads:
            table[of[i], 3] += 1
            leads[event] = None
        if alarm[i] and leads[event] is None:
            table[of[i], 2] += 1
            leads[event] = (event[1] - int(hours.end[i])) / 3600
    return table, [lead for lead in leads.values() if lead is not None]


def reliability(comes: np.ndarray, risk: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean risk, share of events and size of each tenth of the hours, by rising risk."""
    tenths = [t for t in np.array_split(np.argsort(risk, kind="stable"), BINS) if len(t)]
    return (
        np.array([risk[t].mean() for t in tenths]),
        np.array([comes[t].mean() for t in tenths]),
        np.array([len(t) for t in tenths]),
    )


def _brier(comes: np.ndarray, risk: np.ndarray) -> float:
    return float(np.mean((risk - comes) ** 2))


def _calibration_error(comes: np.ndarray, risk: np.ndarray) -> float:
    means, shares, sizes = reliability(comes, risk)
    return float((np.abs(means - shares) * sizes).sum() / sizes.sum())


def _drawn(patient: np.ndarray) -> list[np.ndarray]:
    """Hours of as many patients as there are, drawn with replacement."""
    hours = [np.flatnonzero(patient == p) for p in np.unique(patient)]
    rng = np.random.default_rng(0)
    return [np.concatenate([hours[i] for i in rng.choice(len(hours), len(hours))]) for _ in range(_DRAWS)]
