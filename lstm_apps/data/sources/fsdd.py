"""The Free Spoken Digit Dataset."""

import tempfile
import zipfile
from pathlib import Path

from lstm_apps.data.sources.download import download
from lstm_apps.data.sources.source import Source
from lstm_apps.errors import InputError


def _fetch_spoken_digits(path: Path) -> None:
    """The recordings of the dataset's repository at one commit, as they are."""
    with tempfile.TemporaryFile() as file:
        download("https://github.com/Jakobovski/free-spoken-digit-dataset/archive/26eb9aa.zip", file)
        path.mkdir()
        try:
            with zipfile.ZipFile(file) as archive:
                for member in archive.infolist():
                    if member.filename.endswith(".wav"):
                        (path / Path(member.filename).name).write_bytes(archive.read(member))
        except zipfile.BadZipFile as error:
            raise InputError(f"What came of the spoken digits is no archive: {error}.") from error


SOURCE = Source(
    name="fsdd",
    summary="Free Spoken Digit Dataset: 3,000 English digits by 6 speakers, 8 kHz (10 MB download)",
    origin="https://github.com/Jakobovski/free-spoken-digit-dataset",
    licence="CC BY-SA 4.0",
    citation="Z. Jackson et al. (2018). Free Spoken Digit Dataset. doi:10.5281/zenodo.1342401",
    file="fsdd",
    fetch=_fetch_spoken_digits,
    sha256="dbd573d7cafe79c4b49f65718115e1304e24e067fa39eff18a660dc6cb9c360f",
)
