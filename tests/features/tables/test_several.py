"""Tables of several series: never joined, one is chosen."""

import numpy as np
import pytest

from lstm_apps.errors import InputError
from lstm_apps.features.series import read_series
from lstm_apps.features.tables.dialect import Dialect

HOURS = np.arange("2020-01-01T00", "2020-01-05T04", dtype="M8[h]")  # 100


def stacked(a="A", b="B"):
    return {"id": [a] * 100 + [b] * 100, "t": [*HOURS, *HOURS], "v": np.arange(200.0)}


def consecutive(a="A", b="B"):
    return stacked(a, b) | {"t": np.arange("2020-01-01T00", "2020-01-09T08", dtype="M8[h]")}


def interleaved(a="A", b="B"):
    return {"id": [a, b] * 100, "t": np.repeat(HOURS, 2), "v": np.arange(200.0)}


@pytest.mark.parametrize("table", [stacked, consecutive, interleaved])
@pytest.mark.parametrize("names", [("A", "B"), (17, 18), ("17", "18")])
def test_several_series_are_never_read_as_one(table, names):
    with pytest.raises(InputError) as error:
        read_series(table(*names), "t", "v")
    assert f"'id' looks like the name of a series, of 2: {names[0]}, {names[1]}" in str(error.value)
    assert f"--series id={names[0]}" in str(error.value)


def test_one_series_is_chosen():
    for name, begin in (("A", 0), ("B", 100)):
        series = read_series(stacked(), "t", "v", dialect=Dialect(series=f"id={name}"))
        np.testing.assert_array_equal(series.values, np.arange(begin, begin + 100))
    with pytest.raises(InputError, match=r"'id' has no 'C'; it names 2 series, A, B"):
        read_series(stacked(), "t", "v", dialect=Dialect(series="id=C"))
    with pytest.raises(InputError, match=r"'id' names 2 series, A, B: .* --series id=A"):
        read_series(stacked(), "t", "v", dialect=Dialect(series="id"))
    with pytest.raises(InputError, match=r"no column 'ID'; it has: id, t, v. Did you mean 'id'?"):
        read_series(stacked(), "t", "v", dialect=Dialect(series="ID=A"))


def test_rows_of_a_chosen_series_keep_their_names_in_the_file(tmp_path):
    rows = [f"{i},{t!s}:00,{v}" for i, t, v in zip(*stacked().values(), strict=True)]
    rows[150] = rows[150].rpartition(",")[0] + ",high"
    (tmp_path / "a.csv").write_text("\n".join(["id,t,v", *rows]))
    with pytest.raises(InputError, match="line 152: 'v' is 'high'"):
        read_series(tmp_path / "a.csv", "t", "v", dialect=Dialect(series="id=B"))


def test_what_looks_like_a_name_may_be_none():
    series = read_series(consecutive(), "t", "v", dialect=Dialect(series="none"))
    assert len(series) == 200


@pytest.mark.parametrize(
    "other",
    [
        ["ok", "bad"] * 50,  # how good a value is
        [str(t)[:10] for t in HOURS],  # the day
        ["Wed"] * 24 + ["Thu"] * 24 + ["Fri"] * 24 + ["Sat"] * 28,
        ["one"] * 100,
        [5.5] * 50 + [7.5] * 50,
        [2020] * 50 + [2021] * 50,
        [f"note {i}" for i in range(100)],
        [None] * 100,
    ],
)
def test_other_columns_are_no_names(other):
    assert len(read_series({"t": HOURS, "v": np.arange(100), "other": other}, "t", "v")) == 100


@pytest.mark.parametrize(
    "other", [5.0, None, [[1], [2]] * 100, [["a"]] * 200, np.zeros((200, 2)), ["A", "B"]]
)
def test_other_columns_that_are_no_columns_do_no_harm(other):
    times = np.datetime64("2020-01-01T00", "s") + np.arange(200) * np.timedelta64(3600, "s")
    assert len(read_series({"t": times, "v": range(200), "site id": other}, "t", "v")) == 200
    with pytest.raises(InputError, match="--target v"):
        read_series({"t": times, "v": range(200), "site id": other}, "t", "w")
