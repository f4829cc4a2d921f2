"""Tables as people have them: each is read as it is meant, or one sentence says what to do."""

import bz2
import gzip
import io
import lzma
import warnings
import zipfile
from datetime import timedelta

import numpy as np
import pytest

from lstm_apps.errors import InputError
from lstm_apps.features.series import read_series
from lstm_apps.features.tables.dialect import Dialect

HOURS = np.datetime64("2020-01-15T00", "s") + np.arange(400) * np.timedelta64(3600, "s")
MONTHS = "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
VALUES = np.round(1234.5 + 700 * np.sin(np.arange(400) / 5), 2)


def iso(times=HOURS):
    return [str(t).replace("T", " ") for t in times]


def written(form):
    return [t.strftime(form) for t in HOURS.astype(object)]


def at_24(form):
    """Midnight as 24:00 of the day before."""
    days = [t.strftime(form) if t.hour else (t - timedelta(1)).strftime(form) for t in HOURS.astype(object)]
    return [
        d.replace("00:00", "24:00", 1) if h == 0 else d
        for d, h in zip(days, np.arange(400) % 24, strict=True)
    ]


def text(times=None, values=None, separator=",", header="time{}kw"):
    cells = zip(map(str, times or iso()), map(str, VALUES if values is None else values), strict=True)
    return "\n".join([header.format(separator), *(separator.join(row) for row in cells), ""])


def german(value):
    whole, _, rest = f"{value:,.2f}".partition(".")
    return whole.replace(",", ".") + "," + rest


def read(tmp_path, content, name="a.csv", **said):
    """The series, and all that was told."""
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        dialect = Dialect(**{k: v for k, v in said.items() if k != "step"})
        series = read_series(path, "time", "kw", said.get("step"), dialect)
    return series, " ".join(str(w.message) for w in told)


def same(series, values=VALUES, start=HOURS[0]):
    assert series.start == start
    assert str(series.frequency) == "1h"
    np.testing.assert_allclose(series.values, values)


def utf16_without_mark():
    return text(separator="\t").encode("utf-16-le")


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("inside.csv", text())
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (text(), ""),
        (text(separator=";"), "separated by semicolons"),
        (text(separator="\t"), "separated by tabs"),
        (text(separator="|"), "separated by bars"),
        ("sep=;\n" + text(separator=";"), "separated by semicolons"),
        (text(values=[str(v).replace(".", ",") for v in VALUES], separator=";"), "decimal commas"),
        (text(values=[f'"{v:,.2f}"' for v in VALUES]), "group digits"),
        (text(values=[german(v) for v in VALUES], separator=";"), "decimal commas"),
        (text(values=[f"{v:,.2f}".replace(",", "'") for v in VALUES]), ""),
        (text(values=[german(v).replace(".", "\u202f") for v in VALUES], separator="\t"), "decimal commas"),
        (text(values=[f" {v}  " for v in VALUES], header=" time {} kw"), ""),
        (b"\xef\xbb\xbf" + text(header='"time"{}"kw"').encode(), ""),
        (text(header="Zeit \u00e4,time{}kw", times=[f"x,{t}" for t in iso()]).encode("cp1252"), "cp1252"),
        (text(separator="\t").encode("utf-16"), "utf-16"),
        (utf16_without_mark(), "utf-16-le"),
        (text().replace("\n", ",\n"), ""),  # a separator behind each row
        (text().replace("\n", ",\n").replace("kw,", "kw", 1), ""),  # but not behind the header
        (text().replace("\n", "\r\n"), ""),
        (text().replace("\n", "\r"), ""),
        ("\n\n" + text() + "\n \n", ""),
        ("# meter 4711\n# export\n" + text(), ""),
        (text().replace("\n2020-01-16 00", "\n# a new day\n2020-01-16 00"), "1 line(s) of comments"),
        (text() + "Total,1926219.12\n", "line 402: 'time' is 'Total': the last 1 row(s)"),
        (text() + ",\n,\n", "line 402: 'time' is '': the last 2 row(s)"),
        (text() + "Source: the meter\n", "1 line(s) at the end are left out, first line 402"),
        (text(times=iso()[::-1], values=VALUES[::-1]), "newest row comes first"),
        (text() + text().splitlines()[-1] + "\n", "1 row(s) that repeat another are left out"),
        (text(times=iso()[200:] + iso()[:200], values=np.roll(VALUES, 200)), "1 row(s) are out of order"),
        (gzip.compress(text().encode()), ""),
        (lzma.compress(text().encode()), ""),
        (bz2.compress(text().encode()), ""),
        (zipped(), ""),
    ],
)  # fmt: skip
def test_dialects_are_read_and_what_was_assumed_is_told(tmp_path, content, told):
    series, said = read(tmp_path, content)
    same(series)
    assert told in said
    assert bool(told) == bool(said)


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (written("%d.%m.%Y %H:%M"), "day first"),
        (written("%d/%m/%Y %H:%M:%S"), "day first"),
        (written("%d.%m.%y %H:%M"), "day first"),
        (written("%m/%d/%y %H:%M"), "month first"),
        (written("%m/%d/%Y %I:%M %p"), "month first"),
        (written("%m-%d-%Y %H:%M"), "month first"),
        (written("%Y/%m/%d %H:%M"), ""),
        (written("%d-%b-%Y %H:%M"), ""),
        (written("%b %d, %Y %H:%M"), ""),
        (written("%Y-%m-%dT%H:%M:%SZ"), ""),
        (written("%Y-%m-%d %H:%M:%S UTC"), ""),
        (written("%Y-%m-%d %H:%M:%S+00:00"), ""),
        (written("%Y-%m-%d %H:%M:%S.000"), ""),
        (written("%Y%m%d%H%M"), "YYYYMMDDhhmm"),
        (written("%Y%m%d%H"), "YYYYMMDDhh"),
        ([str(t) for t in HOURS.astype(int)], "seconds since 1970"),
        ([f"{t}.0" for t in HOURS.astype(int)], "seconds since 1970"),
        ([str(t * 1000) for t in HOURS.astype(int)], "milliseconds since 1970"),
        ([str(t * 10**9) for t in HOURS.astype(int)], "nanoseconds since 1970"),
        ([repr(43845 + i / 24) for i in range(400)], "Excel's days"),
        (written("%Y%m%dT%H%M%SZ"), ""),
        (written("%Y%m%dT%H%M"), ""),
        (written("%a, %d %b %Y %H:%M:%S GMT"), ""),
        (written("%A, %B %d, %Y %I:%M %p"), ""),
        ([t.replace("AM", "a.m.").replace("PM", "p. m.") for t in written("%Y-%m-%d %I:%M %p")], ""),
        (at_24("%Y-%m-%d %H:%M"), ""),
        (at_24("%Y-%m-%dT%H:%M:%S"), ""),
        (at_24("%d.%m.%Y %H:%M"), "day first"),
        # Excel leaves midnight out.
        ([t.removesuffix(" 00:00") for t in written("%d.%m.%Y %H:%M")], "day first"),
    ],
)
def test_times_are_read_where_the_whole_column_leaves_no_doubt(tmp_path, cells, told):
    series, said = read(tmp_path, text([f'"{c}"' for c in cells]))
    same(series)
    assert told in said
    assert bool(told) == bool(said)


def test_offsets_that_change_with_the_clock_are_one_time(tmp_path):
    utc = np.datetime64("2020-10-25T00", "s") + (np.arange(-40, 40) * 3600).astype("m8[s]")
    local = [
        str(t + np.timedelta64(2 if t < np.datetime64("2020-10-25T01") else 1, "h")) + offset
        for t, offset in ((t, "+02:00" if t < np.datetime64("2020-10-25T01") else "+01:00") for t in utc)
    ]
    series, _ = read(tmp_path, text(local, range(80)))
    assert (series.start, len(series)) == (utc[0], 80)
    assert series.measured.all()


@pytest.mark.parametrize(
    ("times", "step", "start"),
    [
        ([f"{y}-{m:02}" for y in (1949, 1950) for m in range(1, 13)], "1M", "1949-01-01"),
        ([f"{y}{m:02}" for y in (1949, 1950) for m in range(1, 13)], "1M", "1949-01-01"),
        ([f"{m:02}/{y}" for y in (1949, 1950) for m in range(1, 13)], "1M", "1949-01-01"),
        ([f"{m} {y}" for y in (1949, 1950) for m in MONTHS], "1M", "1949-01-01"),
        ([f"{y}M{m:02}" for y in (1949, 1950) for m in range(1, 13)], "1M", "1949-01-01"),
        ([f"{y}Q{q}" for y in (1960, 1961) for q in range(1, 5)], "3M", "1960-01-01"),
        ([f"Q{q} {y}" for y in (1960, 1961) for q in range(1, 5)], "3M", "1960-01-01"),
        (
            [f"{y}-{d}" for y in (1960, 1961) for d in ("03-31", "06-30", "09-30", "12-31")],
            "3ME",
            "1960-03-31",
        ),
        ([str(y) for y in range(1960, 1990)], "12M", "1960-01-01"),
        ([f"2020-W{w:02}" for w in range(1, 30)], "1w", "2019-12-30"),
        (["2020-02-27", "2020-02-28", "2020-02-29", "2020-03-01", "2020-03-02"], "1d", "2020-02-27"),
    ],
)
def test_months_quarters_years_and_weeks(tmp_path, times, step, start):
    series, _ = read(tmp_path, text(times, range(len(times))))
    assert (str(series.frequency), str(series.start)[:10]) == (step, start)
    assert not np.isnan(series.values[[0, -1]]).any()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("time,kw\n", "has 0 row(s)"),
        (text(separator=":"), "separated by none of commas, semicolons, tabs and bars"),
        (text(["20/01/01", "20/01/02", "20/01/03"], VALUES[:3]), "or write years of four digits"),
        (text(header="2020-01-14 23:00{}5.0"), "looks like values: put a line with the names"),
        (text(header="Time{}KW "), "no column 'time'; it has: Time, KW. Did you mean 'Time'?"),
        (text(header="time{}load"), "Name the column to forecast: --target load"),
        (text(values=[f"{v},7.5" for v in VALUES], header="time,load,temp{}".replace("{}", "")),
         "Several columns hold numbers: load, temp. Name the one to forecast: --target"),
        (text(values=[f"{v},7.5" for v in VALUES], header="time,kw,kw"), "2 columns called 'kw'"),
        ("Meter 4711\nExport 2020-05-01\n\n" + text(), "line 4 looks like the header, line 1 does not"),
        (text().replace("04:00:00,", "04:00:00,1,", 1), "line 6: 3 fields, expected 2"),
        (text() + "2020-02-01 00", "line 402: 1 fields, expected 2"),
        (text().replace("2020-01-15 04:00:00", "Total", 1), "line 6: 'time' is 'Total', expected a time"),
        (text().replace("2020-01-15 04:00:00", "15.01.2020 04:00", 1), "line 6: 'time' is '15.01"),
        (text(written("%d.%m.%Y %H:%M")).replace("20.01.2020 00:00", "01/20/2020 00:00"),
         "line 122: 'time' is '01/20/2020 00:00'"),
        (text([f"{h % 12 + 1:02}/02/2020" for h in range(400)]), "--dayfirst or --no-dayfirst"),
        (text(written("%Y-%m-%d %H:%M CET")), "CET may be several zones"),
        (text().replace("04:00:00,", "04:00:00Z,", 1), "line 6: 'time' is '2020-01-15 04:00:00Z', with"),
        (text(range(400)), "line 2: 'time' is 0, a number that is no time"),
        (text([f"{43845 + d}" for d in range(400)]), "Excel's numbers of days"),
        (text(written("%H:%M")), "a time of day without a date"),
        (text(written("%Y-%m-%d"), [f"{t},{v}" for t, v in zip(written("%H:%M"), VALUES, strict=True)],
              header="time,clock,kw"), "put it and 'clock' into one column"),
        (text(values=["5 %", *VALUES[1:]]), "line 2: 'kw' is '5 %', expected a number without a unit"),
        (text(values=["12kW", "12kW", *VALUES[2:]]), "expected a number without a unit"),
        (text(values=[1, "***", "***", *VALUES[3:]]), "line 3: 'kw' is '***' (2 times), expected a number; "
         "if it stands for no value, say so: --missing '***'"),
        (text(values=[1, "#DIV/0!", *VALUES[2:]]), "line 3: 'kw' is '#DIV/0!', expected a number; if it"),
        (text(values=[1, "high", *VALUES[2:]]), "--missing high"),
        (text(values=[1, ">99", *VALUES[2:]]), "--missing '>99'"),
        (text(values=[1, "1-2", "1-2", *VALUES[3:]]), "'1-2' (2 times), expected a number; if it"),
        (text([f"{d:02}/{m:02}/2020" for m in range(1, 5) for d in range(1, 5)], range(16)),
         "line 3: 'time' of '02/01/2020' may be 2020-01-02 or 2020-02-01, and no other row tells: say which"),
        (text(values=["\u20ac5.20", *VALUES[1:]]), "line 2: 'kw' is '\u20ac5.20', expected a num"),
        (text(values=["1.5", "1,5", *VALUES[2:]], separator=";"), "line 3: 'kw' is '1,5'"),
        (text(values=['"1,00,000"', *VALUES[1:]]), "line 2: 'kw' is '1,00,000'"),
        (text(values=["1.234"] * 400, separator=";"), "'1.234', which may be a thousand as well as one"),
        (text(values=["1,234"] * 400, separator="\t"), "--decimal , or --decimal ."),
        (text(values=["-Infinity", *VALUES[1:]]), "line 2: 'kw' is infinite"),
        (text(values=["True", *VALUES[1:]]), "line 2: 'kw' is 'True', expected a number"),
        (text().replace("2020-01-15 04:00:00", "2020-01-15 03:00:00", 1), "line 6: 1 repeated time(s)"),
        (text().replace("04:00:00", "24:30:00", 1), "line 6: 'time' is '2020-01-15 24:30:00', expected"),
        (text([f"2020-01-01 00:00:{i / 2:04}" for i in range(90)], VALUES[:90]), "line 3: the times "
         "2020-01-01 00:00:00.0 and 2020-01-01 00:00:00.5 are in one second: steps under a second"),
        (text([1583020800000 + 500 * i for i in range(90)], [1] * 90), "steps under a second are not read"),
        (text(["7" * 25] * 400), "a number that is no time"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_sentence_that_says_where(tmp_path, content, message):
    with pytest.raises(InputError) as error:
        read(tmp_path, content.format())
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_doubt_is_settled_by_what_is_said(tmp_path):
    months = [f"01/{m:02}/2020" for m in range(1, 13)]
    for dayfirst, step in ((True, "1M"), (False, "1d")):
        series, told = read(tmp_path, text(months, range(12)), dayfirst=dayfirst)
        assert (str(series.frequency), told) == (step, "")
        assert series.dialect.dayfirst is dayfirst
    with pytest.raises(InputError, match="which cannot be read month first: say --dayfirst"):
        read(tmp_path, text(written("%d.%m.%Y %H:%M")), dayfirst=False)
    for decimal, value in ((",", 1234.0), (".", 1.234)):
        series, _ = read(tmp_path, text(values=["1.234"] * 399 + [""], separator=";"), decimal=decimal)
        assert series.values[0] == value


def test_what_was_found_reads_a_shorter_table_alike(tmp_path):
    long, _ = read(tmp_path, text(written("%d.%m.%Y %H:%M"), [german(v) for v in VALUES], separator=";"))
    assert (long.dialect.dayfirst, long.dialect.decimal) == (True, ",")
    short = text(["03.02.2020 00:00", "03.02.2020 01:00"], ["1.234", "2.345"], separator=";")
    series, _ = read(tmp_path, short, dayfirst=long.dialect.dayfirst, decimal=long.dialect.decimal)
    assert (series.start, list(series.values)) == (np.datetime64("2020-02-03"), [1234, 2345])


def test_lines_above_the_header_are_skipped(tmp_path):
    series, told = read(tmp_path, "Meter 4711\nExport\n\n" + text(), skip=3)
    same(series)
    assert told == ""
    with pytest.raises(InputError, match="line 1 looks like the header, line 3 does not: --skip 0"):
        read(tmp_path, text(), skip=2)


def test_usual_marks_are_missing_and_others_are_said(tmp_path):
    marks = ["N/A", "-", "null", "NaN", "", "?", "#N/A", " ", "nil", ".."]
    values = [*marks, *VALUES[10:]]
    series, told = read(tmp_path, text(values=values))
    assert list(np.flatnonzero(~series.measured)) == list(range(10))
    assert "1 of 'N/A'" in told
    values[10:13] = ["-999", "-999.0", "off"]
    with pytest.raises(InputError, match="line 14: 'kw' is 'off'"):
        read(tmp_path, text(values=values), missing=("-999",))
    series, _ = read(tmp_path, text(values=values), missing=("-999", "OFF"))
    assert list(np.flatnonzero(~series.measured)) == list(range(13))


def test_rows_are_counted_where_start_and_step_are_said(tmp_path):
    content = text([str(i) for i in range(1, 401)])
    series, _ = read(tmp_path, content, start="2020-01-15", step="1h")
    same(series)
    with pytest.raises(InputError, match="--step must say how far apart rows are"):
        read(tmp_path, content, start="2020-01-15")
    # A later table goes on where the first one would.
    later = text([str(i) for i in range(101, 401)], VALUES[100:])
    again, _ = read(tmp_path, later, **{f: getattr(series.dialect, f) for f in ("start", "every", "first")})
    same(again, VALUES[100:], HOURS[100])


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"timezone": "Europe/Berln"}, "Did you mean Europe/Berlin?"),
        ({"decimal": ";"}, "expected a point or a comma"),
        ({"start": "yesterday"}, "expected a time in ISO 8601"),
        ({"skip": -1}, "how many lines"),
    ],
)
def test_what_cannot_be_said_is_a_sentence(said, message):
    with pytest.raises(InputError) as error:
        Dialect(**said)
    assert message in str(error.value)


def test_excel_and_parquet_are_read_as_they_are(tmp_path):
    import openpyxl
    import pandas as pd

    pd.DataFrame({"time": HOURS, "kw": VALUES}).to_parquet(tmp_path / "b.parquet")
    same(read_series(tmp_path / "b.parquet", "time", "kw"))
    pd.DataFrame(
        {"time": pd.DatetimeIndex(HOURS).tz_localize("UTC").tz_convert("Asia/Tokyo"), "kw": VALUES}
    ).to_parquet(tmp_path / "c.parquet")
    same(read_series(tmp_path / "c.parquet", "time", "kw", dialect=Dialect(timezone="Europe/Berlin")))
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (
        ["Meter 4711"],
        [],
        ["time", "kw"],
        *zip(HOURS.astype(object), VALUES, strict=True),
        [],
        ["Total", 5],
    ):
        sheet.append(list(row))
    book.save(tmp_path / "d.xlsx")
    with pytest.raises(InputError, match="row 3 looks like the header, row 1 does not: --skip 2"):
        read_series(tmp_path / "d.xlsx", "time", "kw")
    with pytest.warns(UserWarning, match="row 405: 'time' is 'Total'"):
        same(read_series(tmp_path / "d.xlsx", "time", "kw", dialect=Dialect(skip=2)))


@pytest.mark.parametrize("name", ["a.parquet", "a.xlsx", "a.csv"])
def test_damaged_files_are_a_sentence(tmp_path, name):
    magic = {"a.parquet": b"PAR1", "a.xlsx": b"PK\3\4", "a.csv": b"a\0b\0"}[name]
    (tmp_path / name).write_bytes(magic + b"\0nothing else" * 9)
    with pytest.raises(InputError):
        read_series(tmp_path / name, "time", "kw")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", text(separator=";")),
        ("a.csv", text().encode("utf-16")),
        ("a.csv", text(header="\u00e4,time{}kw", times=[f"x,{t}" for t in iso()]).encode("cp1252")),
        ("a.csv", text(written("%d.%m.%Y %H:%M"))),
        ("a.parquet", b"PAR1"),
        ("a.xlsx", None),
    ],
)
def test_without_the_extra_plain_csv_alone_is_read(tmp_path, monkeypatch, name, content):
    if content is None:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("[Content_Types].xml", "")
        content = file.getvalue()
    for module in ("pandas", "pyarrow", "pyarrow.csv", "pyarrow.parquet", "openpyxl"):
        monkeypatch.setitem(__import__("sys").modules, module, None)
    same(read(tmp_path, text())[0])
    same(read(tmp_path, text() + "Total,5\n")[0])
    with pytest.raises(InputError, match=r"pip install 'lstm-apps\[tables\]'"):
        read(tmp_path, content, name)


@pytest.mark.parametrize(
    ("content", "form"),
    [
        ('[{"time": "2020-01-15", "kw": 1}]', "JSON"),
        (' {"time": {"0": 1, "1": 2}, "kw": {"0": 1}}', "JSON"),
        ('{"time": 1, "kw": 2}\n{"time": 2, "kw": 3}\n', "JSON"),
        (b"ARROW1\0\0" + bytes(99), "Feather"),
        ("<!DOCTYPE html><table><tr><td>time,kw</td></tr></table>", "HTML"),
        (b"\x89HDF\r\n" + bytes(99), "HDF5"),
    ],
)
def test_other_forms_of_files_are_named_and_what_is_read(tmp_path, content, form):
    with pytest.raises(InputError, match=f"is {form}.*; CSV .*, Excel .* and Parquet are: save it as"):
        read(tmp_path, content)


def test_the_first_visible_sheet_with_cells_is_read(tmp_path):
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["time", "kw"])
    book.active.append(["old", 5])
    book.active.sheet_state = "hidden"
    book.create_sheet("Cover").append([None, ""])
    sheet = book.create_sheet("Meter")
    for row in (["time", "kw"], *zip(HOURS.astype(object), VALUES, strict=True)):
        sheet.append(list(row))
    book.create_sheet("Later").append(["time", "kw"])
    book.active = 2
    book.save(tmp_path / "a.xlsx")
    with pytest.warns(UserWarning, match="of 4 sheets only 'Meter' is read"):
        same(read_series(tmp_path / "a.xlsx", "time", "kw"))
