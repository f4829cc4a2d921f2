import hashlib
from pathlib import Path

import pytest

from lstm_apps.data import sources
from lstm_apps.data.sources import download
from lstm_apps.errors import InputError
from lstm_apps.features.series import read_series


def test_embedded_household_power_is_what_it_was():
    path = sources.get("household-power")
    series = read_series(path, "time", "kilowatts")
    assert len(series) == 34582
    assert str(series.start) == "2006-12-17T00:00:00"
    assert int((~series.measured).sum()) < 500
    assert series.values[series.measured].mean() == pytest.approx(1.09, abs=0.01)


def test_unknown_name_gets_a_hint():
    with pytest.raises(InputError, match="Did you mean 'household-power'"):
        sources.get("houshold-power")


def test_every_source_names_origin_licence_and_citation():
    for source in sources.SOURCES.values():
        assert source.origin
        assert source.licence
        assert source.citation


def test_a_failed_download_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("LSTM_APPS_CACHE", str(tmp_path))

    def fail(*_, **__):
        raise InputError("no network")

    monkeypatch.setattr(download.subprocess, "run", fail)
    with pytest.raises(InputError, match="no network"):
        sources.get("household-power-minutes")
    assert list(tmp_path.iterdir()) == []


def test_a_download_with_another_checksum_is_not_used(monkeypatch):
    def pretend(command, **_):
        folder = Path(command[command.index("--dest") + 1])
        (folder / "x-1.0-py3-none-any.whl").write_bytes(b"other")
        return type("Done", (), {"returncode": 0})

    monkeypatch.setattr(download.subprocess, "run", pretend)
    with (
        pytest.raises(InputError, match=hashlib.sha256(b"other").hexdigest()),
        download.wheel("x==1.0", "0" * 64),
    ):
        pass
