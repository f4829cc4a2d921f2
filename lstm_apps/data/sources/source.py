"""What is known of a dataset, and where it lies."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """One dataset, in the layout that its application reads."""

    name: str
    summary: str
    origin: str
    licence: str
    citation: str
    file: str  # in the package's samples or in the cache
    fetch: Callable[[Path], object] | None = None  # writes the file or folder; None: embedded
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


def cache_folder() -> Path:
    """Where fetched datasets are kept."""
    if folder := os.environ.get("LSTM_APPS_CACHE"):
        return Path(folder)
    import platformdirs

    return platformdirs.user_cache_path("lstm-apps")


def fingerprint(path: Path) -> str:
    """SHA-256 of a file; of a folder, over the names and contents of all files in it."""
    if not path.is_dir():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    lines = (f"{f.relative_to(path).as_posix()} {fingerprint(f)}\n" for f in path.rglob("*") if f.is_file())
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()
