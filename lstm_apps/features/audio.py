"""Reads sound: files and arrays of any rate, type and number of channels."""

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from lstm_apps.errors import InputError, first_line, naming
from lstm_apps.features.raw import as_array, is_file

_LONGEST = 6 * 3600  # seconds; more is a mistake, and would fill the memory
_CUT_OFF = re.compile(r"^ *(?:data|SSND) : (\d+) \(should be (\d+)\)", re.MULTILINE)  # as libsndfile says it
_WHOLE = 0.95  # of an MP3 file the length is an estimate
_NO_SIZE = 2**31 - 1  # stands in the header of a WAV file whose writer could not know the size
_AUDIBLE, _CANCELLED = 1e-4, 0.03  # root mean square of a channel; that of the mean in its proportion
_LOUDEST = 4.0  # of floats: a decoder may overshoot, samples of 16 bits are far beyond


def read_audio(raw: Any, rate: int) -> np.ndarray:
    """`raw` as mono float32 from -1 to 1, (samples,), at `rate`.

    Args:
        raw: The path of a sound file (WAV, FLAC, OGG, MP3, ...); or `(array, its rate)`; or an array at
            `rate`. An array is (samples,) or (samples, channels), of floats from -1 to 1 or of integers.
        rate: Samples per second of the result.

    Raises:
        InputError: No sound, no samples, NaN, values beyond full scale, channels that cancel each other, or
            an impossible rate.
    """
    samples, found = read_samples(raw, rate)
    if found == rate:
        return samples
    if not len(there := resampled(samples, found, rate)):
        raise InputError(f"{len(samples)} samples of {found:g} a second are none at {rate} a second.")
    return there


def read_samples(raw: Any, rate: float) -> tuple[np.ndarray, float]:
    """As `read_audio`, at the original rate: mono samples (samples,) float32, and their rate."""
    if isinstance(raw, str | Path):
        try:
            return _as_mono(*_read_file(Path(raw)))
        except InputError as error:
            raise naming(Path(raw), error) from error
    if isinstance(raw, tuple) and len(raw) == 2 and np.ndim(raw[1]) == 0:
        samples, found = as_array(raw[0], "Sound"), raw[1]
    else:
        samples, found = as_array(raw, "Sound"), rate
    return _as_mono(samples, found)


def _as_mono(samples: np.ndarray, found: Any) -> tuple[np.ndarray, float]:
    """Samples of any type and number of channels, checked, and their rate."""
    if samples.dtype.kind not in "iuf":
        raise InputError(f"Sound must be a file's path or an array of numbers, got {samples.dtype}.")
    if samples.ndim not in (1, 2) or not samples.size:
        raise InputError(f"Sound of shape {samples.shape}, expected (samples,) or (samples, channels).")
    if samples.ndim == 2 and samples.shape[1] > 64:
        raise InputError(f"Sound with {samples.shape[1]} channels, expected (samples, channels).")
    if not isinstance(found, int | float | np.number) or not 1000 <= found <= 768_000:
        raise InputError(f"A rate of {found!r} samples a second, expected 1,000 to 768,000.")
    _check_length(len(samples), float(found))
    if samples.dtype.kind in "iu":
        if samples.dtype.itemsize > 4:
            raise InputError(
                f"Sound of {samples.dtype} has no full scale; give int16, or floats from -1 to 1."
            )
        scale = np.iinfo(samples.dtype)
        middle = 0 if samples.dtype.kind == "i" else (scale.max + 1) // 2
        samples = (samples.astype(np.float32) - middle) / -(scale.min - middle)
    if not np.isfinite(samples).all():
        raise InputError("The sound holds NaN or infinity.")
    if (loudest := float(np.abs(samples).max())) > _LOUDEST:
        raise InputError(f"Sound of floats up to {loudest:g}, expected -1 to 1; integers give as integers.")
    mono = samples.astype(np.float32) if samples.ndim == 1 else _mean_of_channels(samples)
    return mono, float(found)


def _mean_of_channels(samples: np.ndarray) -> np.ndarray:
    """(samples, channels) -> (samples,) float32; an InputError where the channels cancel each other."""
    mono = samples.mean(axis=1, dtype=np.float32)
    loudest = float(samples.std(axis=0, dtype=np.float64).max())
    if loudest > _AUDIBLE and mono.std(dtype=np.float64) < _CANCELLED * loudest:
        raise InputError(
            f"The {samples.shape[1]} channels of the sound cancel each other, as where one is inverted "
            "(antiphase): their mean is silent. Give one channel."
        )
    return mono


def _check_length(samples: int, rate: float) -> None:
    if samples > _LONGEST * rate:
        raise InputError(f"{samples / rate / 3600:.1f} hours of sound at once; give shorter parts.")


def _read_file(path: Path) -> tuple[np.ndarray, int]:
    soundfile = _library("soundfile")
    if not is_file(path):
        raise InputError(f"There is no sound file {str(path)[:200]}.")
    try:
        about = soundfile.info(path)
        _check_length(about.frames, about.samplerate)  # before there is memory for all of it
        samples, rate = soundfile.read(path, dtype="float32")
    except InputError:
        raise
    except (soundfile.LibsndfileError, TypeError, ValueError) as error:
        raise InputError(f"{path} is no sound file that can be read: {first_line(error)}") from error
    if not len(samples):
        raise InputError(f"{path} holds no sound.")
    if (there := _share_there(about, len(samples))) < 1:
        warnings.warn(f"{path} is cut off: {there:.0%} of its sound is there, and is read.", stacklevel=2)
    return samples, rate


def _share_there(about: Any, samples: int) -> float:
    """The share of the sound that a file's header promises and that is there; 1 where it promises nothing."""
    sizes = _CUT_OFF.search(about.extra_info)  # bytes, of WAV and AIFF
    promised, there = map(int, sizes.groups()) if sizes else (about.frames, samples)
    return there / promised if there < _WHOLE * promised and promised < _NO_SIZE else 1.0


def resampled(samples: np.ndarray, found: float, rate: int) -> np.ndarray:
    """(samples,) at `found` samples per second -> (samples,) float32 at `rate`."""
    return _library("soxr").resample(samples, found, rate).astype(np.float32)


class Resampler:
    """Resamples a stream chunk by chunk; the chunks concatenated equal `resampled` of the whole."""

    def __init__(self, found: float, rate: int):
        self.found = found
        self._stream = (
            None if found == rate else _library("soxr").ResampleStream(found, rate, 1, dtype="float32")
        )

    def push(self, samples: np.ndarray, last: bool = False) -> np.ndarray:
        """The next chunk (samples,) at the other rate, as far as it is settled; with `last`, all of the
        rest."""
        if self._stream is None:
            return samples
        return self._stream.resample_chunk(samples, last=last)


def _library(name: str) -> Any:
    try:
        return __import__(name)
    except ImportError as error:
        raise InputError(
            f"Reading sound files and other rates needs {name}: pip install 'lstm-apps[audio]'."
        ) from error
