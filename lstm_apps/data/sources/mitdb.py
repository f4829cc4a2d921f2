"""The MIT-BIH Arrhythmia Database."""

from pathlib import Path

from lstm_apps.data.sources.source import Source
from lstm_apps.errors import InputError


def _fetch_mitdb(path: Path) -> None:
    """All 48 records, by PhysioNet's own client."""
    import wfdb

    try:
        wfdb.dl_database("mitdb", str(path))
    except Exception as error:  # whatever its network client raises
        raise InputError(
            f"Could not download mitdb ({type(error).__name__}). Download it elsewhere and name its folder "
            "by --data, or try it with synthetic beats: --data synthetic-hearts."
        ) from error


SOURCE = Source(
    name="mitdb",
    summary="MIT-BIH Arrhythmia Database: 48 half-hour ECGs with annotated beats (100 MB)",
    origin="https://physionet.org/content/mitdb/1.0.0",
    licence="ODC-By 1.0",
    citation="G. Moody and R. Mark (2001). The impact of the MIT-BIH Arrhythmia Database. IEEE "
    "Eng Med Biol 20(3); A. Goldberger et al. (2000). PhysioBank, PhysioToolkit, and PhysioNet. "
    "Circulation 101(23)",
    file="mitdb",
    fetch=_fetch_mitdb,
)
