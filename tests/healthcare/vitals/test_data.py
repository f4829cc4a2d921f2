import csv

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from wards import patient, wide, write_ward

from lstm_apps.application import Request
from lstm_apps.data import sources
from lstm_apps.errors import InputError
from lstm_apps.healthcare.vitals.data import read_stays
from lstm_apps.healthcare.vitals.deterioration import DEATH, course, events
from lstm_apps.healthcare.vitals.features import VitalsFeatures
from lstm_apps.healthcare.vitals.readings import read_clif_vitals
from lstm_apps.healthcare.vitals.task import VITALS

COLUMNS = {n: n for n in ("patient", "time", "variable", "value")}
T0 = np.datetime64("2120-03-01T00:00:00")


def hour(h):
    return T0 + np.timedelta64(round(h * 60), "m")


def write_clif(folder, prefix="clif_", **instead):
    """Two patients, the second with two stays, in CLIF's tables."""

    def times(hours):
        return pyarrow.array([hour(h).item() for h in hours], pyarrow.timestamp("us", "UTC"))

    readings = [("h2", 1, "Art BP mean", "map", 71.0), ("h2", 1, "Non Invasive BP mean", "map", 90.0),
                ("h1", 0, "HR", "heart_rate", 80.0), ("h1", 2, "HR", "heart_rate", 900.0),
                ("h1", 2, "HR", "heart_rate", 0.0), ("h1", 3, "SpO2", "spo2", 96.0),
                ("h1", 20, "SpO2", "spo2", 95.0),
                ("h1", 4, "Weight", "weight_kg", 80.0)]  # fmt: skip
    ids, at, names, categories, values = zip(*readings, strict=True)
    tables = {
        "vitals": {"hospitalization_id": ids, "recorded_dttm": times(at), "vital_name": names,
                   "vital_category": categories, "vital_value": values},
        "hospitalization": {"hospitalization_id": ["h1", "h2", "h3"], "patient_id": ["a", "b", "b"],
                            "discharge_dttm": times([30, 8, 90]), "age_at_admission": [70, 50, 51],
                            "discharge_category": ["Expired", "Home", "Home"]},
        "patient": {"patient_id": ["a", "b"], "sex_category": ["Female", "Male"],
                    "death_dttm": times([40, 300])},
        "adt": {"hospitalization_id": ["h1", "h1", "h1", "h2", "h2"], "in_dttm": times([0, 9, 12, 0, 5]),
                "location_category": ["ward", "stepdown", "icu", "icu", "ward"]},
    }  # fmt: skip
    folder.mkdir(exist_ok=True)
    for name, columns in {**tables, **instead}.items():
        if columns is not None:
            pyarrow.parquet.write_table(pyarrow.table(columns), folder / f"{prefix}{name}.parquet")
    return folder


@pytest.mark.parametrize("prefix", ["clif_", ""])
def test_clif_tables(tmp_path, prefix):
    stays, left_out = read_stays(write_clif(tmp_path / "clif", prefix), {})
    assert left_out == {"heart_rate": 1}  # of two at once one counts
    first, later, other = stays  # h1 has a gap of 17 hours
    assert [len(s.readings.values) for s in stays] == [2, 1, 1]
    assert (first.patient, first.sex, first.age, other.patient) == ("a", "Female", 70, "b")
    at = [int(hour(h).astype("datetime64[s]").astype(int)) for h in (9, 12, 40)]
    assert first.transfers_up == later.transfers_up == tuple(at[:2])
    assert first.death == at[2]  # not the date of discharge
    assert (other.death, other.transfers_up) == (None, ())
    assert other.readings.values.tolist() == [71]  # measured in the artery


def test_deaths_and_transfers_that_nobody_timed_are_at_no_time(tmp_path):
    untimed = pyarrow.nulls(3, pyarrow.timestamp("us", tz="UTC"))
    hospitalization = {"hospitalization_id": ["h1", "h2", "h3"], "patient_id": ["a", "b", "b"],
                       "discharge_dttm": untimed, "age_at_admission": [70, 50, 51],
                       "discharge_category": ["Expired", "Home", "Home"]}  # fmt: skip
    patient = {
        "patient_id": ["a", "b", "c"],
        "sex_category": ["Female", "Male", "Male"],
        "death_dttm": untimed,
    }
    adt = {"hospitalization_id": ["h1", "h1", "h2"], "in_dttm": untimed,
           "location_category": ["ward", "icu", "icu"]}  # fmt: skip
    folder = write_clif(tmp_path / "a", hospitalization=hospitalization, patient=patient, adt=adt)
    stays, _ = read_stays(folder, {})
    assert [(s.death, s.transfers_up) for s in stays] == [(None, ())] * len(stays)


def test_broken_clif_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match=r"no clif_adt\.parquet"):
        read_stays(write_clif(tmp_path / "a", adt=None), {})
    with pytest.raises(InputError, match="clif_patient"):
        read_stays(write_clif(tmp_path / "b", patient={"patient_id": ["a"]}), {})
    folder = write_clif(tmp_path / "c")
    (folder / "clif_vitals.parquet").write_bytes((folder / "clif_vitals.parquet").read_bytes()[:300])
    with pytest.raises(InputError, match="clif_vitals"):
        read_stays(folder, {})


def test_readings_without_a_time_are_left_out_and_times_may_be_text(tmp_path):
    columns = {
        "hospitalization_id": ["h1", "h1", "h2"],
        "recorded_dttm": ["2020-01-01 01:00:00", None, "2020-01-01 02:00:00"],
        "vital_name": ["HR"] * 3,
        "vital_category": ["heart_rate"] * 3,
        "vital_value": [80.0, 81.0, 82.0],
    }
    with pytest.warns(UserWarning, match="1 reading.* without a time"):
        _, seconds, _, values = read_clif_vitals(write_clif(tmp_path / "a", vitals=columns))
    assert values.tolist() == [80, 82]
    assert seconds.astype("datetime64[s]").astype(str).tolist() == [
        "2020-01-01T01:00:00",
        "2020-01-01T02:00:00",
    ]
    with pytest.raises(InputError, match="clif_vitals"):
        read_clif_vitals(
            write_clif(tmp_path / "b", vitals={**columns, "recorded_dttm": ["at one", None, "x"]})
        )


def test_a_long_table_with_events(tmp_path):
    path = write_ward(tmp_path / "ward.csv", patients=2, hours=5)
    with path.open("a") as file:
        file.write(
            "p1,2026-01-01T04:00,transfer_up,\np1,2026-01-01T06:00,death,\np1,2026-01-01T01:00,map,900\n"
        )
    (one, other), left_out = read_stays(path, COLUMNS)
    assert left_out == {"map": 1}
    assert (one.death, one.transfers_up) == (None, ())
    assert np.datetime64(other.death, "s") == np.datetime64("2026-01-01T06:00")
    assert np.datetime64(other.transfers_up[0], "s") == np.datetime64("2026-01-01T04:00")
    nameless = tmp_path / "nameless.csv"
    nameless.write_text("time,variable,value\n2026-01-01,map,80\n")
    with pytest.raises(InputError, match="which patient"):
        read_stays(nameless, COLUMNS)


def test_the_demo_is_as_measured():
    try:
        folder = sources.get("clif-demo")
    except InputError as error:
        pytest.skip(str(error))
    stays, left_out = read_stays(folder, {})
    assert len({s.patient for s in stays}) == 100
    assert left_out == {"heart_rate": 4, "map": 23, "spo2": 3, "respiratory_rate": 48, "temp_c": 5}
    courses = [course(stay) for stay in stays]
    assert sum(len(c.ends) for c in courses) == 13054
    assert sum(int(c.computed.sum()) for c in courses) == 28
    assert sum(int(c.eligible.sum()) for c in courses) == 9565


def test_a_model_reads_the_folder_that_it_was_trained_on(tmp_path):
    folder = write_clif(tmp_path / "clif")
    features = VitalsFeatures.fit(COLUMNS, [np.zeros((2, 35))])
    with pytest.warns(UserWarning, match="mpossible"):
        answer = features.predict(lambda inputs: {"risk": inputs["hours"][..., :1]}, str(folder))
    assert set(answer["patient"]) == {"h1", "h2"}
    with pytest.raises(InputError, match="no clif_vitals"):
        features.predict(lambda inputs: inputs, tmp_path)


def test_variables_that_nobody_knows_are_told(tmp_path):
    path = write_ward(tmp_path / "ward.csv")
    with path.open("a") as file:
        file.write(f"nobody,{T0},Death,\n")
    with pytest.warns(UserWarning, match="Death; they are left out"):
        read_stays(path, COLUMNS)


def test_what_is_written_after_a_death_is_left_out_and_told(tmp_path):
    path = write_ward(tmp_path / "ward.csv", patients=1, hours=5)
    with path.open("a") as file:
        file.write("p0,2026-01-01T03:30,death,\n")
    with pytest.warns(UserWarning, match="after a patient's death are left out"):
        ((stay,), _) = read_stays(path, COLUMNS)
    assert np.datetime64(int(stay.readings.seconds[-1]), "s") <= np.datetime64("2026-01-01T03:30")
    assert DEATH in [kind for _, kind in events(stay)]


def test_tables_as_hospitals_have_them(tmp_path):
    """Rows twice, ages of the oldest withheld, numbers as text with gaps."""
    hospitalization = {"hospitalization_id": ["h1", "h2", "h2"], "patient_id": ["a", "b", "b"],
                       "discharge_dttm": ["2120-03-05"] * 3, "age_at_admission": [">89", None, "old"],
                       "discharge_category": ["Home"] * 3}  # fmt: skip
    vitals = {"hospitalization_id": ["h1", "h1", "h2"], "recorded_dttm": ["2120-03-01 01:00:00"] * 3,
              "vital_name": ["HR", "MAP", "HR"], "vital_category": ["heart_rate", "map", "heart_rate"],
              "vital_value": ["80", "", "90.5"]}  # fmt: skip
    folder = write_clif(tmp_path / "clif", hospitalization=hospitalization, vitals=vitals)
    with pytest.warns(UserWarning, match="1 row.* repeat another"):
        stays, _ = read_stays(folder, {})
    assert [(s.patient, s.age, s.readings.values.tolist()) for s in stays] == [
        ("a", 89, [80]),
        ("b", None, [90.5]),
    ]


def test_numbers_are_no_times(tmp_path):
    """They may count anything since any day."""
    table = {"hospitalization_id": ["h1"], "recorded_dttm": [3], "vital_name": ["HR"],
             "vital_category": ["heart_rate"], "vital_value": [80.0]}  # fmt: skip
    with pytest.raises(InputError, match="int64 as a time"):
        read_stays(write_clif(tmp_path / "clif", vitals=table), {})


def test_columns_of_clif_tables_cannot_be_named(tmp_path):
    with pytest.raises(InputError, match="--column names columns of a CSV file"):
        VITALS.load(Request(str(write_clif(tmp_path / "clif")), {"time": "when"}))


def test_what_is_missing_to_ask_anything_is_named(tmp_path):
    path = write_ward(tmp_path / "ward.csv", patients=3, hours=30)
    lines = path.read_text().splitlines(True)
    path.write_text("".join(line for line in lines if not {"map", "dbp"} & set(line.split(","))))
    with pytest.raises(InputError, match=r"no hour is eligible.* heart_rate, map, spo2 \(there is no map\)"):
        VITALS.load(Request(str(path)))


def test_wide_tables_are_learnt_from_as_long_ones_are(tmp_path):
    rows = patient("a", 30) + patient("b", 30, seed=1)
    table = wide(rows)
    table["death"] = [0] * (len(table["time"]) - 1) + [1]
    paths = tmp_path / "wide.csv", write_ward(tmp_path / "long.csv", patients=0)
    with paths[0].open("w", newline="") as file:
        csv.writer(file).writerows([table.keys(), *zip(*table.values(), strict=True)])
    with paths[1].open("a", newline="") as file:
        csv.writer(file).writerows([*rows, ("b", table["time"][-1], "death", "")])
    wide_stays, long_stays = (read_stays(path, COLUMNS)[0] for path in paths)
    assert [s.patient for s in wide_stays] == ["a", "b"]
    for one, other in zip(wide_stays, long_stays, strict=True):
        assert one.death == other.death
        for a, b in zip(one.readings, other.readings, strict=True):
            np.testing.assert_array_equal(np.sort(a), np.sort(b))
        np.testing.assert_array_equal(course(one).rows, course(other).rows)
        np.testing.assert_array_equal(course(one).label, course(other).label)
    assert long_stays[1].death is not None


def test_without_mean_pressures_there_are_events_of_computed_ones(tmp_path):
    path = write_ward(tmp_path / "ward.csv", patients=1, hours=60)
    (measured,), _ = read_stays(path, COLUMNS)
    path.write_text("".join(line for line in path.read_text().splitlines(True) if ",map," not in line))
    (computed,), _ = read_stays(path, COLUMNS)
    one, other = course(measured), course(computed)
    assert events(computed) == events(measured) != []
    np.testing.assert_array_equal(one.eligible, other.eligible)
    np.testing.assert_array_equal(one.label, other.label)
    assert other.computed.all()
    assert not one.computed.any()


def test_units_of_what_is_learnt_from_are_checked(tmp_path):
    path = write_ward(tmp_path / "ward.csv", patients=2, hours=20)
    rows = [line.split(",") for line in path.read_text().splitlines()]
    path.write_text(
        "\n".join(
            ",".join([*r[:3], str(float(r[3]) / 7.5)] if r[2] in ("sbp", "dbp", "map") else r) for r in rows
        )
    )
    with pytest.raises(InputError, match=r"ward\.csv: sbp, dbp, map look like kPa"):
        read_stays(path, COLUMNS)
