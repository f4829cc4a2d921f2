import json
import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
from wards import START, as_table, patient, readings, wide

from lstm_apps.application import Request
from lstm_apps.errors import InputError
from lstm_apps.features import from_json, to_json
from lstm_apps.features.tables.dialect import Dialect
from lstm_apps.healthcare.vitals.features import WARM_UP, WINDOW, Alarms, VitalsFeatures, windows
from lstm_apps.healthcare.vitals.hours import COLUMNS, STABLE, UNKNOWN
from lstm_apps.healthcare.vitals.readings import NAMES
from lstm_apps.healthcare.vitals.task import VITALS

COLUMN_NAMES = {n: n for n in ("patient", "time", "variable", "value")}
FEATURES = VitalsFeatures(COLUMN_NAMES, tuple(float(i) for i in range(21)), (1.0,) * 21, threshold=0.5)


def test_an_alarm_holds_for_six_hours():
    alarms = Alarms(0.5)
    risks = [0.4, 0.6, 0.9, 0.9, 0.9, 0.9, 0.9, 0.7, float("nan"), 0.2]
    assert [alarms.update(3600 * i, r) for i, r in enumerate(risks)] == [
        False, True, False, False, False, False, False, True, False, False,
    ]  # fmt: skip


def test_windows_contain_every_hour_once():
    for count in (1, WARM_UP, WINDOW, WINDOW + 1, 300):
        rows = np.zeros((count, COLUMNS), np.float32)
        rows[:, 0] = np.arange(count)
        assert max(map(len, windows(rows))) <= WINDOW
        found = FEATURES.risks(lambda inputs: {"risk": inputs["hours"][..., :1]}, rows)
        np.testing.assert_array_equal(found, np.arange(count))


def test_a_value_never_measured_is_the_mean():
    row = np.full(COLUMNS, np.nan)
    row[21:] = 0
    np.testing.assert_array_equal(FEATURES.encode(row), [*range(21), *[0] * 14])


def test_one_row_of_one_patient_is_answered():
    answer = FEATURES.predict(lambda inputs: {"risk": inputs["hours"][..., :1]}, readings((5, "map", 80)))
    assert answer["status"].tolist() == [UNKNOWN]
    assert math.isnan(answer["risk"][0])
    assert not answer["alarm"][0]


def test_bounds_are_those_of_the_file():
    data = json.loads(json.dumps(to_json(FEATURES)))
    assert from_json(data) == FEATURES
    data["bounds"]["map"] = [1, 70]
    with pytest.raises(InputError, match="No possible reading"):
        from_json(data).predict(lambda inputs: {"risk": inputs["hours"][..., :1]}, readings((5, "map", 80)))


class Same:
    """A step file that always answers 0."""

    def reset(self):
        pass

    def push(self, inputs):
        return {"risk": np.zeros((1, 1, 1))}


@pytest.mark.parametrize("reading", [("heart_rate", 900), ("heart_rate", math.nan), ("etco2", 40)])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_stream_goes_on_when_a_sensor_comes_off(reading):
    stream = FEATURES.stream(Same())
    assert stream.push(readings((2, *reading))) == []
    stream.push(readings((1, "map", 80)))
    assert stream.push(readings((2, *reading))) == []
    assert len(stream.push(readings((90, "map", 80)))) == 1
    with pytest.raises(InputError, match="No possible reading"):
        FEATURES.predict(lambda inputs: inputs, readings((2, *reading)))


def test_a_stream_is_of_one_patient():
    stream = FEATURES.stream(Same())
    stream.push(readings((1, "map", 80)))
    other = readings((2, "map", 80))
    with pytest.raises(InputError, match="begin another"):
        stream.push({**other, "patient": ["somebody else"]})
    assert len(stream.push(readings((90, "map", 80)))) == 1
    stream.reset()
    stream.push({**other, "patient": ["somebody else"]})


def constant(inputs):
    """A model that finds a risk of 0.1 everywhere."""
    return {"risk": np.full((*inputs["hours"].shape[:2], 1), 0.1)}


WELL = [(60 * h + 5, n, v) for h in range(4) for n, v in (("heart_rate", 70), ("map", 80), ("spo2", 97))]


def test_each_hour_without_a_risk_has_a_reason():
    answer = FEATURES.predict(
        constant, readings((1, "heart_rate", 70), *[(m + 60, *r) for m, *r in WELL], (250, "map", 60))
    )
    np.testing.assert_array_equal(np.isnan(answer["risk"]), answer["reason"] != "")
    np.testing.assert_array_equal(answer["status"] == STABLE, answer["reason"] == "")
    assert answer["reason"].tolist() == [
        "no mean arterial pressure yet, no oxygen saturation yet", "", "", "",
        "already in an event: mean arterial pressure 60 mmHg, below 65",
    ]  # fmt: skip


def test_without_a_mean_pressure_the_two_others_make_it_and_this_is_told_once():
    rows = [r for r in patient("a", hours=30) if r[2] != "map"]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        answer = FEATURES.predict(constant, as_table(rows))
    assert [str(w.message) for w in told] == [
        "In 30 of 30 hours the mean arterial pressure is computed, as none was measured: "
        "(systolic + 2 diastolic) / 3 of readings at most 10 minutes apart."
    ]
    assert np.isfinite(answer["risk"]).any()
    # It is the mean pressure: 1.4 p and 0.8 p make p.
    measured = FEATURES.predict(constant, as_table(patient("a", hours=30)))
    np.testing.assert_array_equal(answer["status"], measured["status"])


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_stream_computes_the_pressures_that_predict_computes():
    rows = [r for r in patient("a", hours=30) if r[2] != "map"]
    whole = FEATURES.predict(lambda inputs: {"risk": inputs["hours"][..., :1] * 0}, as_table(rows))
    for size in (1, 7):
        stream = FEATURES.stream(Same())
        parts = [as_table(rows[i : i + size]) for i in range(0, len(rows), size)]
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            found = [hour for part in parts for hour in stream.push(part)] + stream.end()
        assert [str(w.message)[:46] for w in told] == ["In the hour to 2026-01-01T01:00:00 the mean ar"]
        assert [h["reason"] for h in found] == whole["reason"].tolist()


def test_a_stream_refuses_kilopascals_as_soon_as_two_readings_agree():
    stream = FEATURES.stream(Same())
    with pytest.warns(UserWarning, match="too few to tell"):
        stream.push(readings((1, "sbp", 17.0)))
    for _ in range(2):  # and goes on to
        with pytest.raises(InputError, match="look like kPa"):
            stream.push(readings((2, "dbp", 10.0)))
    assert stream.push(readings((3, "map", 80), (3, "spo2", 97), (3, "heart_rate", 70))) == []
    (hour,) = stream.end()
    assert hour["status"] == STABLE


def test_patients_without_a_reading_are_named():
    table = as_table([*patient("a", 2), ("b", str(START), "map", ""), ("c", str(START), "mood", 3)])
    with pytest.warns(UserWarning, match="No answer for 2 of 3 patients.*'b', 'c'"):
        answer = FEATURES.predict(constant, table)
    assert set(answer["patient"]) == {"a"}


def test_hours_that_no_stay_has_are_told():
    with pytest.warns(
        UserWarning, match=r"1 time.*more than 12 hours, first of patient 'a' after .*T04:00:00"
    ):
        FEATURES.predict(constant, readings(*WELL, (60 * 40, "map", 80)))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_long_and_wide_tables_and_data_frames_are_answered_alike(tmp_path):
    import pandas as pd

    rows = patient("a", hours=30) + patient("b", hours=20, seed=1)
    expected = FEATURES.predict(constant, as_table(rows))
    table = wide(rows)
    frame = pd.DataFrame(table)
    frame.to_csv(tmp_path / "wide.csv", index=False)
    for raw in (table, frame, tmp_path / "wide.csv", frame.sample(frac=1, random_state=0)):
        answer = FEATURES.predict(constant, raw)
        order = np.lexsort((answer["time"], answer["patient"]))
        for name, values in expected.items():
            np.testing.assert_array_equal(answer[name][order], values)


def test_every_column_of_the_model_has_a_name_and_a_unit():
    columns = FEATURES.about()["input_columns"]
    assert len(columns) == COLUMNS == 35
    assert len({c["name"] for c in columns}) == 35
    assert columns[NAMES.index("map")] == {"name": "map last", "unit": "mmHg"}
    assert columns[7 + NAMES.index("map")] == {"name": "map lowest", "unit": "mmHg"}
    assert columns[14 + NAMES.index("temp_c")] == {"name": "temp_c highest", "unit": "°C"}
    assert columns[21]["unit"] == "0 or 1"
    assert columns[34]["name"] == "temp_c hours since measured"
    json.dumps(columns)


def test_the_user_may_say_how_a_table_is_written(tmp_path):
    def run(inputs):
        return {"risk": inputs["hours"][..., :1]}

    path = tmp_path / "ours.csv"
    path.write_text(
        "Ward 7\npatient;time;map;spo2\n1;01/03/2026 00:30;80,5;-1\n1;01/03/2026 01:30;81,5;-1\n"
        "1;02/03/2026 01:30;82;97\n"
    )
    with pytest.raises(InputError, match="--skip 1"):
        FEATURES.predict(run, path)
    with pytest.raises(InputError, match="--dayfirst"):
        FEATURES.predict(run, path, skip=1)
    said = {"skip": 1, "dayfirst": True, "timezone": "Europe/Berlin", "decimal": ",", "missing": ("-1",)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = FEATURES.predict(run, path, **said)
        trained = from_json(json.loads(json.dumps(to_json(replace(FEATURES, dialect=Dialect(**said))))))
        again = trained.predict(run, path)
    assert str(answer["time"][0]) == "2026-03-01T00:00:00"
    np.testing.assert_array_equal(answer["time"], again["time"])
    assert {"series", "start"}.isdisjoint(FEATURES.options)


def test_training_takes_what_is_said_of_a_table(tmp_path):
    path = tmp_path / "ours.csv"
    path.write_text("patient,time,map\n1,01/03/2026 00:30,80\n1,02/03/2026 00:30,81\n")
    with pytest.raises(InputError, match="no hour is eligible"):
        VITALS.load(Request(path, dialect=Dialect(dayfirst=True)))
    with pytest.raises(InputError, match="takes no --series"):
        VITALS.load(Request(path, dialect=Dialect(series="a=b")))
    with pytest.raises(InputError, match="--dayfirst is for a table such as"):
        VITALS.load(Request(tmp_path, dialect=Dialect(dayfirst=True)))
