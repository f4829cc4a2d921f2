"""Sound as an answer, and how it is written."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lstm_apps.errors import InputError, first_line

ENDINGS = (".wav", ".flac", ".ogg")


class Sound(NamedTuple):
    """What a model that speaks answers."""

    samples: np.ndarray  # (samples,) float32, -1 to 1
    rate: int  # samples a second


def write_sound(sound: Sound, path: Path) -> None:
    """Write a sound file, beside and renamed. Samples beyond -1 and 1 are clipped.

    Raises:
        InputError: No ending of `ENDINGS`, no folder, no soundfile.
    """
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"{path} should end in one of {', '.join(ENDINGS)}: the answer is sound.")
    try:
        import soundfile
    except ImportError as error:
        raise InputError("Writing sound files needs soundfile: pip install 'lstm-apps[audio]'.") from error
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        soundfile.write(partial, np.clip(sound.samples, -1, 1), sound.rate)
        os.replace(partial, path)
    except (soundfile.LibsndfileError, OSError) as error:
        raise InputError(f"{path} cannot be written: {first_line(error)}") from error
    finally:
        partial.unlink(missing_ok=True)
