from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from lstm_apps.healthcare.vitals import baselines
from lstm_apps.healthcare.vitals.metrics import (
    Hours,
    alarm_rate,
    alarm_scores,
    alarms,
    hour_scores,
    threshold_for,
)

HOUR = 3600


def stable_hours(labels, onset=None, patients=1):
    count = len(labels)
    onset = np.zeros(count) if onset is None else np.array(onset) * HOUR
    person = np.repeat(np.arange(patients), -(-count // patients))[:count]
    everything = np.ones(count, bool)
    monitored = {p: int((person == p).sum()) for p in person.tolist()}
    return Hours(
        person, person, np.arange(count) * HOUR, np.array(labels, bool), onset, everything, monitored
    )


def test_scores_of_risks_that_are_right():
    rng = np.random.default_rng(0)
    risk = expit(rng.normal(-1, 1.5, 4000))
    labels = rng.random(4000) < risk
    found = hour_scores(stable_hours(labels, patients=40), risk)
    assert found["calibration error"].value < 0.03
    assert found["Brier score"].value == pytest.approx(np.mean(risk * (1 - risk)), abs=0.01)
    low, high = found["AUROC"].interval
    assert low < found["AUROC"].value < high
    assert high - low < 0.1
    overconfident = hour_scores(stable_hours(labels, patients=40), np.clip(1.5 * risk, 0, 1))
    assert overconfident["calibration error"].value > 0.1
    assert set(hour_scores(stable_hours(labels), risk, probability=False)) == {"AUROC", "AUPRC"}


def test_labels_all_alike_cannot_be_ranked():
    for labels in ([0, 0, 0], [1, 1, 1]):
        found = hour_scores(stable_hours(labels, [5, 5, 5]), np.array([0.1, 0.2, 0.3]))
        assert found["AUROC"].value is found["AUPRC"].value is None
        assert found["AUROC"].reason.startswith(f"{sum(labels)} of 3 hours precede an event")
        assert np.isfinite([found["Brier score"].value, found["calibration error"].value]).all()


def test_without_eligible_hours_there_are_reasons_only():
    none = replace(stable_hours([0, 0, 0]), eligible=np.zeros(3, bool))
    for estimate in hour_scores(none, np.array([0.1, 0.2, 0.3])).values():
        assert estimate.value is None
        assert "no hour" in estimate.reason
    found = alarm_scores(stable_hours([0, 0, 0]), np.zeros(3, bool))
    assert found["alarms per patient day"].value == 0
    assert found["event recall"].value is found["lead time"].value is None
    assert "no event" in found["event recall"].reason
    assert "no alarm" in found["lead time"].reason


def test_alarms_events_and_lead():
    labels = [0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1]
    onset = [0, 3.5, 3.5, 3.5, 0, 0, 0, 0, 0, 0, 12.5, 12.5]
    risk = np.array([0, 0, 9, 9, 0, 0, 0, 0, 0, 9, 9, 9.0])
    a = stable_hours(labels, onset)
    assert np.flatnonzero(alarms(a, risk, 5)).tolist() == [2, 9]
    found = alarm_scores(a, alarms(a, risk, 5))
    assert found["alarms per patient day"].value == pytest.approx(2 / 12 * 24)
    assert found["event recall"].value == 0.5  # the alarm at 9 holds over the hours of the second event
    assert found["lead time"].value == 1.5


def test_alarms_count_at_all_hours_and_risks_at_eligible_ones():
    labels = [0, 0, 1, 1]
    a = replace(stable_hours(labels, [0, 0, 5, 5]), eligible=np.array([1, 1, 1, 0], bool), monitored={0: 8})
    risk = np.array([0.1, 0.2, 0.9, 0.05])  # the last hour would be wrong, if it were eligible
    assert hour_scores(a, risk)["AUROC"].value == 1
    found = alarm_scores(a, alarms(a, risk, 0.5))
    assert found["alarms per patient day"].value == 3
    assert found["event recall"].value == 1


def test_the_threshold_gives_two_alarms_a_day():
    rng = np.random.default_rng(0)
    a, risk = stable_hours(rng.random(2000) < 0.1, patients=20), rng.random(2000)
    assert alarm_rate(a, alarms(a, risk, threshold_for(a, risk))) == pytest.approx(2, abs=0.1)


def rows(**values):
    row = np.full(35, np.nan)
    for name, value in values.items():
        row[baselines.NAMES.index(name)] = value
    return row[None]


@pytest.mark.parametrize(
    ("values", "points"),
    [
        ({}, 0),
        ({"respiratory_rate": 16, "spo2": 97, "sbp": 120, "heart_rate": 70, "temp_c": 37.0}, 0),
        ({"respiratory_rate": 25, "spo2": 91, "sbp": 90, "heart_rate": 131, "temp_c": 35.0}, 15),
        (
            {"respiratory_rate": 8, "spo2": 93, "sbp": 100, "heart_rate": 40, "temp_c": 39.1},
            3 + 2 + 2 + 3 + 2,
        ),
        (
            {"respiratory_rate": 9, "spo2": 95, "sbp": 110, "heart_rate": 50, "temp_c": 36.0},
            1 + 1 + 1 + 1 + 1,
        ),
        (
            {"respiratory_rate": 24, "spo2": 96, "sbp": 220, "heart_rate": 130, "temp_c": 38.1},
            2 + 0 + 3 + 2 + 1,
        ),
    ],
)
def test_news2_by_its_chart(values, points):
    assert baselines.news2(rows(**values)) == [points]


def test_summaries_do_not_look_ahead():
    rng = np.random.default_rng(0)
    table = rng.random((60, 35))
    whole = baselines.summaries(table)
    np.testing.assert_allclose(baselines.summaries(table[:40]), whole[:40])
    np.testing.assert_allclose(whole[30, 14], table[25:31, 0].mean())
