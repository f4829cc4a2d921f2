"""Recordings of single words in a folder, with their speakers."""

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from lstm_apps.errors import InputError, first_line, naming
from lstm_apps.features.audio import read_audio

ENDINGS = (".wav", ".flac", ".ogg", ".mp3")
LAYOUT = (
    "a folder with a subfolder of sound files a word (`yes/anna_0.wav` or `yes/yes_anna_0.wav`; the speaker "
    "is what stands before `_nohash_` or `_` and a number), or one of files named `word_speaker_number.wav`"
)
_SHORTEST = 0.05  # seconds
_FLAT = re.compile(r"(?P<label>[^_]+)_(?P<speaker>.+)_(?P<take>\d+)")
_NESTED = re.compile(r"(?P<speaker>.+?)(_nohash)?_(?P<take>\d+)")


@dataclass(frozen=True)
class Recording:
    """One word by one speaker."""

    file: Path
    label: str
    speaker: str  # "" of a file that names none
    take: int  # which of the speaker's recordings of the word
    rate: int  # samples per second of the file
    seconds: float

    def read(self, rate: int) -> np.ndarray:
        """(samples,) float32 at `rate` samples per second, read-only; an InputError if it cannot be read."""
        try:
            return _decoded(self.file, self.file.stat().st_mtime_ns, rate)
        except OSError as error:
            raise InputError(f"{self.file} is not there any more.") from error
        except InputError as error:
            raise naming(self.file, error) from error


@lru_cache(maxsize=4096)  # some hundred megabytes; training reads each once an epoch
def _decoded(file: Path, changed: int, rate: int) -> np.ndarray:
    samples = read_audio(file, rate)
    samples.flags.writeable = False
    return samples


def list_recordings(folder: Path) -> list[Recording]:
    """All recordings of a folder, see `LAYOUT`. Their sound is read by `Recording.read`.

    Raises:
        InputError: No folder, a file that is no sound or is empty, fewer than two words.
    """
    found = [_recording(folder, file) for file in _files(folder)]
    labels = {r.label for r in found}
    if len(labels) < 2:
        raise InputError(f"{folder} holds {len(found)} recordings of {len(labels)} words, expected {LAYOUT}.")
    return found


def _files(folder: Path) -> list[Path]:
    """The sound files of a folder and its subfolders, sorted. Folders named `_...`, with background noise and
    the like, are left out; so are folders in subfolders, with a warning."""
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}; expected {LAYOUT}.")
    if deeper := _sounds(folder, "[!_.]*/[!_.]*/**/*"):
        warnings.warn(
            f"{len(deeper)} sound files, as {deeper[0]}, lie too deep and are not read.", stacklevel=2
        )
    return _sounds(folder, "*") + _sounds(folder, "[!_.]*/*")


def _sounds(folder: Path, pattern: str) -> list[Path]:
    return sorted(
        f for f in folder.glob(pattern) if f.suffix.lower() in ENDINGS and not f.name.startswith(".")
    )


def _recording(folder: Path, file: Path) -> Recording:
    import soundfile

    try:
        about = soundfile.info(file)
    except soundfile.LibsndfileError as error:
        raise InputError(f"{file} is no sound file that can be read: {first_line(error)}") from error
    if about.frames < _SHORTEST * about.samplerate:
        raise InputError(f"{file} holds {about.frames / about.samplerate:.3f} s of sound: that is no word.")
    nested = file.parent != folder
    match = (_NESTED if nested else _FLAT).fullmatch(file.stem)
    if match is None and not nested:
        raise InputError(f"{file} says neither its word nor its speaker, expected {LAYOUT}.")
    named = match.groupdict() if match else {"speaker": ""}
    label = file.parent.name if nested else named["label"]
    speaker = named["speaker"]
    if nested:  # `yes/yes_anna_0.wav`, `yes/yes_0.wav`
        speaker = "" if speaker == label else speaker.removeprefix(f"{label}_")
    return Recording(
        file=file,
        label=label,
        speaker=speaker,
        take=int(named.get("take", 0)),
        rate=about.samplerate,
        seconds=about.frames / about.samplerate,
    )
