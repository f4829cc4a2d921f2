"""Named datasets: where they come from, under which licence, and how to get them.

A dataset is embedded in the package or fetched once into a cache folder: `LSTM_APPS_CACHE`, by
default the platform's cache folder for `lstm-apps`.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lstm_apps.data.sources import (
    clif_demo,
    food_reviews,
    fsdd,
    household_power,
    mitdb,
    synthetic_hearts,
    vader_sentences,
)
from lstm_apps.data.sources.source import Source, cache_folder, fingerprint
from lstm_apps.errors import InputError, unknown_name

__all__ = ["SOURCES", "Found", "Source", "cache_folder", "find", "fingerprint", "get", "source"]

SOURCES: dict[str, Source] = {
    s.name: s
    for s in (
        household_power.HOURS,
        household_power.MINUTES,
        fsdd.SOURCE,
        vader_sentences.SOURCE,
        food_reviews.SOURCE,
        clif_demo.SOURCE,
        mitdb.SOURCE,
        synthetic_hearts.SOURCE,
    )
}


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
