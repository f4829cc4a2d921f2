"""The standard's counts: whose mistake a beat is."""

import numpy as np
import pytest

from lstm_apps.healthcare.ecg.metrics import NONE, scores

TRUE = np.array(list("NNNNNNSSVVVV"))
PREDICTED = np.array(list("NNNNNVSNVVVS"))


def of(true, predicted):
    found = scores(["a"], [(true, predicted)], [(true, predicted)])
    return {name: estimate.value for name, estimate in found.items()}


def test_sensitivity_predictivity_and_f1_by_hand():
    found = of(TRUE, PREDICTED)
    assert found["V sensitivity"] == pytest.approx(3 / 4)
    assert found["V predictivity"] == pytest.approx(3 / 4)
    assert found["S sensitivity"] == found["S predictivity"] == pytest.approx(1 / 2)
    assert found["macro F1"] == pytest.approx((10 / 12 + 1 / 2 + 3 / 4) / 3)


@pytest.mark.parametrize(("kind", "predicted"), [("F", "V"), ("Q", "V"), ("Q", "S"), ("Q", "N"), ("Q", NONE)])
def test_fusion_beats_predicted_v_and_unknown_beats_are_no_error(kind, predicted):
    """ANSI/AAMI EC57, and WFDB's `bxb`."""
    assert of(np.append(TRUE, kind), np.append(PREDICTED, predicted)) == of(TRUE, PREDICTED)


@pytest.mark.parametrize(("kind", "predicted"), [("F", "S"), ("F", "N"), ("N", "V"), ("S", "V"), (NONE, "V")])
def test_all_others_are(kind, predicted):
    found = of(np.append(TRUE, kind), np.append(PREDICTED, predicted))
    assert found["macro F1"] < of(TRUE, PREDICTED)["macro F1"]


def test_patients_are_drawn_for_the_intervals_of_all_and_of_those_without_232():
    """232, whose beats are all predicted right, lifts every metric, and is in none of those without him."""
    right, others = (TRUE, TRUE), [(TRUE, PREDICTED), (TRUE, np.array(list("NNNNNNSSVVNN")))]
    names, parts = ["232", "a", "b"], [right, *others]
    found, left = scores(names, parts, parts), scores(names[1:], others, others)
    for name in ("macro F1", "V sensitivity", "S predictivity"):
        assert found[f"{name} without 232"] == left[name]
        low, high = found[name].interval
        assert low <= found[name].value <= high == 1
        assert left[name].value < found[name].value
    assert found["macro F1 from the signal"] == found["macro F1"]


def test_records_of_one_patient_count_as_his():
    one, other = (TRUE, PREDICTED), (TRUE, np.array(list("NNNNNNSSVVNN")))
    joined = tuple(np.concatenate(pair) for pair in zip(one, other, strict=True))
    parts = [one, other, (TRUE, TRUE)]
    assert scores(["p", "p", "q"], parts, parts) == scores(["p", "q"], [joined, parts[2]], [joined, parts[2]])


def test_classes_that_are_not_there_have_reasons_instead_of_figures():
    beats = np.array(list("NNNNVV"))
    found = scores(["a"], [(beats, np.array(list("NNNNNN")))], [(beats, beats)])
    values = {name: estimate.value for name, estimate in found.items() if estimate.value is not None}
    assert values == {"V sensitivity": 0.0}
    assert found["V predictivity"].reason == "no beat of the test part was predicted V"
    assert found["S sensitivity"].reason == "no beat of the test part is S"
    assert "N, S and V" in found["macro F1"].reason
