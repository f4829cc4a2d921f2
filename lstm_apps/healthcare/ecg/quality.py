"""Signal quality: which segments of an ECG are readable, and where detected beats are doubtful.

Published signal quality indices (SQI), with thresholds chosen on the training records of MIT-BIH (DS1)
and on synthetic noise:

- kSQI, the kurtosis of the signal in the band of the QRS complex (Li, Mark & Clifford 2008, Physiol Meas 29;
  Clifford et al. 2012, Physiol Meas 33): QRS complexes make it large, noise of any colour has about 3.
- bSQI, the share of the beats that two different QRS detectors agree on (Li, Mark & Clifford 2008). The
  second detector is that of Elgendi (2013, PLoS ONE 8(9)), with two moving averages.
- flat and saturated parts, as in the PhysioNet/CinC Challenge 2011.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lstm_apps.healthcare.ecg.peaks import PeakDetector, moving_average, qrs_band

LEAD_OFF, SATURATED, FLAT = "lead off", "saturated", "flat line"
NOISE = "noise: no QRS complexes stand out"
DISAGREE = "two QRS detectors find different beats"
DOUBTFUL = "doubtful: a second QRS detector finds other beats here"

_HUM = 0.25  # share of the power above which hum is removed; in DS1 it is at most 0.08
BRIDGED = 1.0  # seconds of missing values that are interpolated; in longer gaps the lead is off
_FLAT = 3.0  # seconds: longer than a pause of a beating heart
_FLAT_SPAN = 0.03  # of the median span of so many seconds; less is flat
_STUCK = 0.5  # seconds at the end of the range
_CLIPPED = 0.05  # share of a window at the ends of its range
_RAIL = 0.2  # of the range: least distance of an end of the range from the median
_WINDOW, _HOP = 6.0, 1.5  # seconds over which kurtosis and clipping are taken, and from one to the next
KURTOSIS = 4.0  # less is noise: 99 % of such windows of white, pink and brown noise have less than 3.9
_AGREEMENT = 10.0  # seconds over which two detectors are compared
_READABLE, _SURE = 0.5, 0.8  # bSQI below which a segment is unreadable, and below which it is doubtful
_NEAR = 0.15  # seconds within which two detections are one beat
_SHORTEST = 2.0  # seconds of a readable segment at least, because the detector learns for so long


@dataclass(frozen=True)
class Segment:
    """A part of a signal, [begin, end) in samples, and its defect."""

    begin: int
    end: int
    reason: str


@dataclass(frozen=True)
class Reading:
    """The readable parts of a signal.

    Attributes:
        signal: (samples,) with gaps interpolated and strong hum removed.
        runs: Of each readable segment the R peaks (beats,), in samples.
        unreadable: Segments that are not readable, ascending.
        doubtful: Readable segments in which some beats may be missing or false.
        hum: Frequency (Hz) of the mains hum that was removed, 0 where there was little.
    """

    signal: np.ndarray
    runs: list[np.ndarray]
    unreadable: list[Segment]
    doubtful: list[Segment]
    hum: int


def read(signal: np.ndarray, rate: float) -> Reading:
    """Find the readable segments of a signal and their R peaks.

    Args:
        signal: (samples,) of one lead, NaN where there is no value.
        rate: Samples per second.
    """
    whole, hum = without_hum(bridged(signal), rate)
    bad = _bad(np.where(_long(~np.isfinite(signal), round(BRIDGED * rate)), np.nan, whole), rate)
    runs, doubtful = [], []
    for begin, end in _runs(~bad.astype(bool)):
        peaks = begin + PeakDetector(rate).all(whole[begin:end])
        second = begin + second_detector(whole[begin:end], rate)
        for at, stop in _segments(begin, end, round(_AGREEMENT * rate)):
            share = agreement(_within(peaks, at, stop), _within(second, at, stop), _NEAR * rate)
            if share < _READABLE:
                bad[at:stop] = _REASONS.index(DISAGREE)
            elif share < _SURE:
                doubtful.append(Segment(at, stop, DOUBTFUL))
        runs.append(peaks)
    peaks = np.concatenate([np.zeros(0, np.int64), *runs])
    parts = [_within(peaks, begin, end) for begin, end in _runs(bad == 0)]
    unreadable = [
        Segment(begin, end, _REASONS[code])
        for code in range(1, len(_REASONS))
        for begin, end in _runs(bad == code)
    ]
    unreadable.sort(key=lambda s: s.begin)
    return Reading(whole, [p for p in parts if len(p)], unreadable, doubtful, hum)


_REASONS = ("", LEAD_OFF, SATURATED, FLAT, NOISE, DISAGREE)


def _bad(signal: np.ndarray, rate: float) -> np.ndarray:
    """(samples,) the position in `_REASONS` of the defect of each sample, before detectors are compared."""
    off = ~np.isfinite(signal)
    whole = bridged(signal)
    bad = np.zeros(len(signal), np.int8)
    for begin, end in _runs(~off):
        part, found = whole[begin:end], bad[begin:end]
        flat = _flat(part, rate, _noisy(part, rate))
        found[flat] = _REASONS.index(FLAT)
        found[_saturated(part, rate, flat)] = _REASONS.index(SATURATED)
        for at, stop in _runs(found == 0):
            found[at:stop][_noisy(part[at:stop], rate)] = _REASONS.index(NOISE)
    bad[off] = _REASONS.index(LEAD_OFF)
    for begin, end in _runs(bad == 0):
        if end - begin < min(_SHORTEST * rate, len(bad)):
            bad[begin:end] = bad[begin - 1] if begin else bad[end]
    return bad


def bridged(signal: np.ndarray) -> np.ndarray:
    """The signal (samples,) with missing values interpolated linearly; zeros where all are missing."""
    missing = ~np.isfinite(signal)
    if not missing.any():
        return signal
    if missing.all():
        return np.zeros(len(signal))
    at = np.arange(len(signal))
    return np.where(missing, np.interp(at, at[~missing], signal[~missing]), signal)


def without_hum(signal: np.ndarray, rate: float) -> tuple[np.ndarray, int]:
    """Remove strong mains hum: a mean over one period of the mains has neither the hum nor its harmonics.

    Args:
        signal: (samples,).
        rate: Samples per second.

    Returns:
        The signal (samples,), and the frequency (Hz) of the hum that was removed, else 0.
    """
    power = np.abs(np.fft.rfft(signal - signal.mean(), _power_of_two(len(signal)))) ** 2
    frequency = np.linspace(0, rate / 2, len(power))
    for mains in (50, 60):
        if power[np.abs(frequency - mains) < 1].sum() > _HUM * power[frequency >= 1].sum():
            at = np.arange(len(signal))[:, None] + 0.5 + 0.5 * rate / mains * np.array([-1, 1])
            at = np.clip(at, 0, len(signal))
            total = np.interp(at, np.arange(len(signal) + 1), np.concatenate([[0.0], np.cumsum(signal)]))
            return np.diff(total, axis=1)[:, 0] / np.diff(at, axis=1)[:, 0], mains
    return signal, 0


def _power_of_two(length: float) -> int:
    return 1 << int(np.ceil(np.log2(length)))


def kurtosis(band: np.ndarray) -> np.ndarray:
    """Kurtosis along the last axis: 3 for Gaussian noise."""
    apart = band - band.mean(axis=-1, keepdims=True)
    second = (apart**2).mean(axis=-1)
    return (apart**4).mean(axis=-1) / np.maximum(second, 1e-150) ** 2


def is_noise(signal: np.ndarray, rate: float) -> bool:
    """Whether the end of a signal (samples,) is noise."""
    window = round(_WINDOW * rate)
    band = qrs_band(signal[-2 * window :], rate)[-window:]  # filtered with what came before
    return len(band) == window and bool(kurtosis(band) < KURTOSIS)


def _noisy(signal: np.ndarray, rate: float) -> np.ndarray:
    found = np.zeros(len(signal), bool)
    band = qrs_band(signal, rate)
    for begin, end in _windows(len(signal), rate):
        found[begin:end] |= bool(kurtosis(band[begin:end]) < KURTOSIS)
    return found


def _flat(signal: np.ndarray, rate: float, noisy: np.ndarray) -> np.ndarray:
    """(samples,) booleans: where `_FLAT` seconds span far less than the median of clean parts."""
    length = round(_FLAT * rate)
    if len(signal) < length:
        return np.full(len(signal), not np.ptp(signal))
    hop = max(1, length // 6)
    starts = [*range(0, len(signal) - length, hop), len(signal) - length]
    spans = np.array([np.ptp(signal[s : s + length]) for s in starts])
    clean = [
        span for start, span in zip(starts, spans, strict=True) if not noisy[start : start + length].any()
    ]
    least = max(_FLAT_SPAN * float(np.median(clean or [0])), 1e-9 * float(np.abs(signal).max()))
    found = np.zeros(len(signal), bool)
    for start in np.array(starts)[spans <= least]:
        found[start : start + length] = True
    return found


def _saturated(signal: np.ndarray, rate: float, flat: np.ndarray) -> np.ndarray:
    """(samples,) booleans: where the signal stays at an end of its range, once for long or often."""
    steady = np.concatenate([[False], np.diff(signal) == 0])
    steady[:-1] |= steady[1:]  # the first of equal values too
    stuck = _long(steady & _at_rail(signal), round(_STUCK * rate))
    found = stuck.copy()
    least = max(3, round(0.008 * rate))
    for begin, end in _windows(len(signal), rate):
        other = ~(stuck | flat)[begin:end]
        if other.sum() > rate:
            clipped = np.zeros(len(other), bool)
            clipped[other] = _at_rail(signal[begin:end][other])
            found[begin:end] |= _long(clipped & steady[begin:end], least).sum() > _CLIPPED * other.sum()
    return found


def _at_rail(signal: np.ndarray) -> np.ndarray:
    low, middle, high = signal.min(), np.median(signal), signal.max()
    near = _RAIL * (high - low)
    return ((signal == high) & (high - middle > near)) | ((signal == low) & (middle - low > near))


def second_detector(signal: np.ndarray, rate: float) -> np.ndarray:
    """(beats,) R peaks by Elgendi's two moving averages: where the energy of 8 to 20 Hz over the length of a
    QRS complex is above that over the length of a beat."""
    size = _power_of_two(len(signal) + rate)
    frequency = np.fft.rfftfreq(size, 1 / rate)
    with np.errstate(divide="ignore", over="ignore"):  # a Butterworth filter of third order, there and back
        gain = 1 / (1 + (8 / frequency) ** 6) / (1 + (frequency / 20) ** 6)
    band = np.fft.irfft(np.fft.rfft(signal - signal.mean(), size) * gain, size)[: len(signal)]
    energy = band**2
    short, long = moving_average(energy, 0.097 * rate), moving_average(energy, 0.611 * rate)
    peaks: list[int] = []
    for begin, end in _runs(short > long + 0.08 * energy.mean()):
        if end - begin < 0.097 * rate:
            continue
        peak = begin + int(energy[begin:end].argmax())
        if peaks and peak - peaks[-1] < 0.24 * rate:  # of one beat
            peaks[-1] = max(peaks[-1], peak, key=lambda p: energy[p])
        else:
            peaks.append(peak)
    return np.array(peaks, dtype=np.int64)


def agreement(one: np.ndarray, other: np.ndarray, near: float) -> float:
    """bSQI: the share of all detected beats that both detectors found; 1 where neither found any.

    Args:
        one: (beats,) samples, ascending.
        other: (beats,) samples, ascending.
        near: Samples within which two detections are one beat.
    """
    both = 0
    if len(one) and len(other):
        apart = np.abs(one[:, None] - other)
        nearest = apart.argmin(axis=1)
        mutual = apart.argmin(axis=0)[nearest] == np.arange(len(one))
        both = int((mutual & (apart.min(axis=1) <= near)).sum())
    found = len(one) + len(other) - both
    return both / found if found else 1.0


def _windows(length: int, rate: float) -> Iterator[tuple[int, int]]:
    """[begin, end) of overlapping windows; one window of all where it is shorter."""
    size, hop = round(_WINDOW * rate), round(_HOP * rate)
    for begin in range(0, max(1, length - size + 1), hop):
        yield begin, begin + size
    if length > size:
        yield length - size, length


def _segments(begin: int, end: int, size: int) -> list[tuple[int, int]]:
    """[begin, end) in segments of `size`; the last one takes the rest."""
    starts = [begin + size * i for i in range(max(1, (end - begin) // size))]
    return list(zip(starts, [*starts[1:], end], strict=True))


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """[begin, end) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _long(mask: np.ndarray, least: int) -> np.ndarray:
    """The mask with only its runs of at least `least` samples."""
    found = np.zeros(len(mask), bool)
    for begin, end in _runs(mask):
        found[begin:end] = end - begin >= least
    return found


def _within(peaks: np.ndarray, begin: int, end: int) -> np.ndarray:
    return peaks[(peaks >= begin) & (peaks < end)]
