"""Reading a series: what is taken, and one clear sentence for what is not."""

import gzip

import numpy as np
import pytest

from lstm_apps.errors import InputError
from lstm_apps.features.series import fill_missing, read_series

HOURS = np.arange("2020-01-01T00", "2020-01-03T00", dtype="M8[h]")


def table(times=HOURS, values=None):
    return {"t": [str(t) for t in times], "v": list(range(len(times))) if values is None else values}


def test_reads_tables_data_frames_and_files_alike(tmp_path):
    import pandas as pd

    rows = "\n".join(f"{t},{v}" for t, v in zip(table()["t"], table()["v"], strict=True))
    (tmp_path / "a.csv").write_text("t,v\n" + rows)
    (tmp_path / "bom.csv").write_bytes(b"\xef\xbb\xbf" + f"t,v\r\n{rows}\r\n".replace("\n", "\r\n").encode())
    with gzip.open(tmp_path / "a.csv.gz", "wt") as file:
        file.write("t,v\n" + rows)
    frame = pd.DataFrame({"t": HOURS, "v": table()["v"]})
    for source in (table(), frame, tmp_path / "a.csv", str(tmp_path / "bom.csv"), tmp_path / "a.csv.gz"):
        series = read_series(source, "t", "v")
        assert str(series.frequency) == "1h"
        assert series.start == HOURS[0]
        assert series.end == np.datetime64("2020-01-03T00")
        np.testing.assert_array_equal(series.values, np.arange(48.0))


def test_rows_left_out_are_not_measured():
    keep = np.r_[0:10, 12:48]
    series = read_series(table(HOURS[keep], [1.0] * 46), "t", "v")
    assert len(series) == 48
    assert list(np.flatnonzero(~series.measured)) == [10, 11]


def test_offsets_are_turned_to_utc():
    times = ["2020-01-01T00:00+02:00", "2020-01-01T01:00+02:00", "2020-01-01T02:00+02:00"]
    assert read_series({"t": times, "v": [1, 2, 3]}, "t", "v").start == np.datetime64("2019-12-31T22:00")


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"x": [1], "v": [1]}, "no column 't'; it has: x, v"),
        (
            {"t": ["2020-01-01T00", "yesterday", "2020-01-02"], "v": [1, 2, 3]},
            "row 2: 't' is 'yesterday', expe",
        ),
        ({"t": ["2020-01-01T00", "", "2020-01-02"], "v": [1, 2, 3]}, "row 2: 't' is empty"),
        (
            {"t": ["2020-01-01T00", "2020-01-32T00"], "v": [1, 2]},
            "row 2: 't' is '2020-01-32T00', expected a time",
        ),
        ({"t": ["2020-01-01T00", "2020-01-01T00"], "v": [1, 2]}, "row 2: 1 repeated time"),
        (
            {"t": [str(t) for t in HOURS[:4]], "v": [1, 2, "three", 4]},
            "row 3: 'v' is 'three', expected a number",
        ),
        ({"t": [str(t) for t in HOURS[:4]], "v": [1, 2, "inf", 4]}, "infinite"),
        ({"t": [str(t) for t in HOURS[:4]], "v": [1, "", "", 4]}, "2 of 4 steps of 'v' are not measured"),
        ({"t": ["2020-01-01T00"], "v": [1]}, "at least two"),
        ({"t": [], "v": []}, "at least two"),
        ({"t": ["2020-01-01T00", "2020-01-01T01"], "v": [1]}, "2 times but 1 values"),
        ({"t": [True, False], "v": [1, 2]}, "row 1: 't' is True, expected a time"),
        ({"t": [str(t) for t in HOURS[:2]], "v": [True, False]}, "row 1: 'v' is True, expected a number"),
        ({"t": ["00:00", "01:00"], "v": [1, 2]}, "a time of day without a date"),
        ({"t": [0, 1, 2], "v": [1, 2, 3]}, "--step 1h --start 2020-01-01"),
        ({"T ": ["2020-01-01"], "v": [1]}, "no column 't'; it has: T , v. Did you mean 'T '?"),
        (42, "Expected a CSV path or a table"),
    ],
)
def test_what_is_refused(broken, message):
    with pytest.raises(InputError) as error:
        read_series(broken, "t", "v")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_are_no_tables_are_refused(tmp_path):
    with pytest.raises(InputError, match="There is no file"):
        read_series(tmp_path / "none.csv", "t", "v")
    (tmp_path / "binary.csv").write_bytes(bytes(range(128, 256)) * 4)
    with pytest.raises(InputError, match="not a readable CSV"):
        read_series(tmp_path / "binary.csv", "t", "v")
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"t,v\n" + b"2020-01-01,1\n" * 1000)[:30])
    with pytest.raises(InputError, match="not a readable CSV"):
        read_series(tmp_path / "cut.csv.gz", "t", "v")
    damaged = bytearray(gzip.compress(b"t,v\n" + b"2020-01-01,1\n" * 1000))
    damaged[20:30] = b"0123456789"
    (tmp_path / "damaged.csv.gz").write_bytes(damaged)
    with pytest.raises(InputError, match="not a readable CSV"):
        read_series(tmp_path / "damaged.csv.gz", "t", "v")
    (tmp_path / "ragged.csv").write_text("t,v\n2020-01-01,1\n2020-01-02\n")
    with pytest.raises(InputError, match="line 3: 1 fields, expected 2"):
        read_series(tmp_path / "ragged.csv", "t", "v")


def test_missing_values_are_filled_from_the_past_alone():
    hours = np.arange("2020-01-01T00", "2020-01-20T00", dtype="M8[h]")
    values = np.arange(len(hours), dtype=float)
    values[[0, 30, 200]] = np.nan
    series = read_series({"t": hours, "v": values}, "t", "v")
    filled, count = fill_missing(series)
    assert count == 3
    assert filled[200] == 200 - 168  # last week
    assert filled[30] == 30 - 24  # no last week yet: yesterday
    assert filled[0] == 1  # nothing before: the first measured value
    shorter, _ = fill_missing(series[:201])
    np.testing.assert_array_equal(filled[:201], shorter)


def test_resampling_takes_means_of_bins_measured_at_least_half():
    minutes = np.arange("2020-01-01T00:00", "2020-01-01T04:00", dtype="M8[m]")
    values = np.repeat([1.0, 2.0, 3.0, 4.0], 60)
    values[60:89] = np.nan  # 31 of 60 left
    values[120:151] = np.nan  # 29 of 60 left
    series = read_series({"t": minutes, "v": values}, "t", "v", step="1h")
    np.testing.assert_array_equal(series.values, [1, 2, np.nan, 4])
    assert str(series.frequency) == "1h"


def test_bins_that_the_times_begin_or_end_in_are_left_out():
    times = np.arange("2020-01-01T05", "2020-01-04T13", dtype="M8[h]")
    values = (times - times.astype("M8[D]")).astype(float)  # the hour: 11.5 on the average of a whole day
    series = read_series({"t": times, "v": values}, "t", "v", "1d")
    assert (series.start, list(series.values)) == (np.datetime64("2020-01-02"), [11.5, 11.5])
    with pytest.raises(InputError, match="no whole step"):
        read_series({"t": times[:10], "v": values[:10]}, "t", "v", "1d")


@pytest.mark.parametrize("step", [None, "1s"])
def test_a_mistyped_year_is_a_sentence_before_it_fills_the_memory(step):
    times = ["1900-01-01T00:00:00", "1900-01-01T00:00:01", "1900-01-01T00:00:02", "2100-01-01T00:00:00"]
    with pytest.raises(InputError, match="rows of 4"):
        read_series({"t": times, "v": [1, 2, 3, 4]}, "t", "v", step)


def test_a_time_before_all_time_is_a_sentence():
    with pytest.raises(InputError, match="row 2"):
        read_series({"t": ["2020-01-01", "9999-12-31T23:59:59-01:00"], "v": [1, 2]}, "t", "v")


def test_missing_values_of_pandas_are_not_measured():
    import pandas as pd

    values = pd.array([1.0, None, *range(46)], dtype="Float64")
    series = read_series(pd.DataFrame({"t": HOURS, "v": values}), "t", "v")
    assert list(np.flatnonzero(~series.measured)) == [1]


def frames():
    """A frame's column of times or values, and what is read: None for the values 0, 1, 2, ..."""
    import pandas as pd

    count = np.arange(48.0)
    lists = pd.Series([[1.0, 2.0]] * 48)
    periods = pd.period_range("2020-01-01", periods=48, freq="h")
    spans = pd.to_timedelta(count, unit="h")
    words = pd.Categorical([str(v) for v in count])
    return [
        ("v", spans, "row 1: 'v' is the duration '0 days 00:00:00', expected a number"),
        ("v", spans.to_numpy(), "row 1: 'v' is the duration '0 nanoseconds', expected a number"),
        ("v", list(HOURS), "row 1: 'v' is np.datetime64.'2020-01-01"),
        ("v", count + 1j, "1j"),
        ("v", list(count + 1j), "1j"),
        ("v", lists, "row 1: 'v' is .1.0, 2.0."),
        ("v", [np.array([v]) for v in count], "row 1: 'v' is array"),
        ("v", np.stack([count, count], 1), "'v' has the shape .48, 2., expected one"),
        ("v", periods, "times"),
        ("v", pd.Categorical(["low", "high"] * 24), "'low' .24 times., expected a number"),
        ("v", pd.arrays.SparseArray(count), None),
        ("v", pd.Categorical(count), None),
        ("v", words, None),
        ("t", periods, None),
        ("t", pd.Series(periods), None),
        ("t", list(periods), None),
        ("t", pd.Categorical([str(t) for t in HOURS]), None),
        ("t", pd.DatetimeIndex(HOURS).tz_localize("UTC").tz_convert("Asia/Tokyo"), None),
        ("t", spans, "expected a time"),
        ("t", spans.to_numpy(), "row 1: 't' is 0 nanoseconds|expected a time"),
        ("t", np.stack([HOURS, HOURS], 1), "'t' has the shape"),
        ("v", np.array(5.0), "'v' has the shape .., expected one value a row"),
        ("t", list(spans.to_numpy()), "expected a time"),
        ("t", lists, "expected a time"),
    ]


@pytest.mark.parametrize("case", range(24))
def test_every_type_of_column_is_read_or_a_sentence(case):
    name, column, message = frames()[case]
    source = {**table(HOURS), name: column}
    if message is None:
        series = read_series(source, "t", "v")
        assert (series.start, list(series.values)) == (HOURS[0], [*range(48)])
    else:
        with pytest.raises(InputError, match=message) as error:
            read_series(source, "t", "v")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("registered", [True, False])
def test_periods_and_durations_in_parquet_are_no_numbers(tmp_path, registered):
    import pandas as pd
    import pyarrow
    import pyarrow.parquet

    periods = pd.Series(pd.period_range("2020-01-01", periods=48, freq="h"))
    spans = pd.Series(pd.to_timedelta(np.arange(48), unit="h"))
    for i, frame in enumerate(
        [{"t": periods, "v": range(48)}, {"t": HOURS, "v": periods}, {"t": HOURS, "v": spans}]
    ):
        pd.DataFrame(frame).to_parquet(tmp_path / f"{i}.parquet")
    if not registered:  # as where nothing has written Parquet before
        pyarrow.unregister_extension_type("pandas.period")
    try:
        series = read_series(tmp_path / "0.parquet", "t", "v")
        assert (series.start, str(series.frequency)) == (HOURS[0], "1h")
        for name, message in (("1", "'v' holds times"), ("2", "'v' is the duration")):
            with pytest.raises(InputError, match=message):
                read_series(tmp_path / f"{name}.parquet", "t", "v")
    finally:
        if not registered:
            from pandas.core.arrays.arrow.extension_types import ArrowPeriodType

            pyarrow.register_extension_type(ArrowPeriodType("D"))


def test_other_columns_of_one_name_do_no_harm_and_names_of_two_levels_are_refused():
    import pandas as pd

    frame = pd.DataFrame({"t": HOURS, "v": range(48), "a": ["A", "B"] * 24, "b": ["A", "B"] * 24})
    frame.columns = ["t", "v", "x", "x"]
    assert list(read_series(frame, "t", "v").values) == [*range(48)]
    frame.columns = ["t", "v", "v", "x"]
    with pytest.raises(InputError, match="2 columns called 'v'"):
        read_series(frame, "t", "v")
    frame.columns = pd.MultiIndex.from_product([["t", "v"], ["mean", "max"]])
    with pytest.raises(InputError, match="names of several levels"):
        read_series(frame, "t", "v")
