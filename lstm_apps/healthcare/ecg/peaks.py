"""R peaks of an ECG, chunk by chunk."""

from functools import lru_cache

import numpy as np

# All in seconds.
_SHORT, _LONG = 0.03, 0.15  # moving averages whose difference is the band of the QRS complex
_QRS = 0.12  # over which its energy is taken
_REFRACTORY = 0.24  # two beats are at least so far apart
_AROUND = 0.08  # the R peak is the largest deflection so near to the most energy
_LEARN = 2.0  # before the first beat is looked for
DELAY = 0.4  # from a peak to its decision, which waits for a full block
_BEFORE = 3.0  # searched again where a beat is overdue
_BLOCK = 0.2  # decisions are made for blocks of this length, whatever the chunks
_MEMORY = 8  # beats whose energy sets the threshold
_THRESHOLD, _MISSED = 0.22, 0.09  # of their median; the lower one where a beat is overdue
_OVERDUE = 1.6  # of the median interval
_STRONGEST = 0.2  # of the greatest energy in the block, the least energy that sets the threshold
_KEPT = 50_000  # samples of a block, at most
_SILENT = 1e-6  # of the largest sample: slopes that are rounding


class PeakDetector:
    """QRS detection after Pan & Tompkins (1985): the energy of slopes in the band of the QRS complex is
    compared with a threshold that follows the last beats and is lower where a beat is overdue.

    Chunks of any length give the same peaks as the whole signal.

    Args:
        rate: Samples per second.
    """

    def __init__(self, rate: float):
        self.rate = rate
        self._signal = np.zeros(0)
        self._begin = 0  # the first sample of `_signal`, since the beginning
        self._decided = 0  # samples that are searched already
        self._peaks: list[int] = []
        self._interval = rate  # median of samples between the last peaks
        self._energies: list[float] = []

    def all(self, signal: np.ndarray) -> np.ndarray:
        """(beats,) the samples of all peaks of a whole signal (samples,)."""
        rest = np.full(int((DELAY + 2 * _BLOCK) * self.rate), signal[-1])
        peaks = self.push(np.concatenate([signal, rest]))
        return np.array([p for p in peaks if p < len(signal)], dtype=np.int64)

    def push(self, signal: np.ndarray) -> list[int]:
        """Add a chunk (samples,). Returns the peaks that it settles, in samples since the beginning."""
        self._signal = np.concatenate([self._signal, signal])
        found = []
        block, delay = int(_BLOCK * self.rate), int(DELAY * self.rate)
        first = int(_LEARN * self.rate)
        while self._begin + len(self._signal) >= max(self._decided + block, first) + delay:
            end = max(self._decided + block, first)
            found += self._look(self._decided, end)
            self._decided = end
            keep = max(0, end - int(_BEFORE * self.rate + self.rate) - self._begin)
            self._signal, self._begin = self._signal[keep:], self._begin + keep
        return found

    def _look(self, begin: int, end: int) -> list[int]:
        """Peaks whose energy is greatest in [begin, end)."""
        start = max(self._begin, begin - int(_BEFORE * self.rate))
        stop = min(self._begin + len(self._signal), end + int(DELAY * self.rate))
        signal = self._signal[start - self._begin : stop - self._begin]
        band = qrs_band(signal, self.rate)
        energy = moving_average(np.gradient(band) ** 2, _QRS * self.rate)
        if not self._energies:
            self._energies = [float(energy[: end - start].max())] * _MEMORY
        floor = (_SILENT * np.abs(signal).max()) ** 2  # a flat line has no beats
        # The last beats set the level, unless they were noise before the first beat.
        level = max(float(np.median(self._energies)), _STRONGEST * float(energy[: end - start].max()), floor)
        inner = energy[1:-1]
        tops = 1 + np.flatnonzero((inner > energy[:-2]) & (inner >= energy[2:]) & (inner > _MISSED * level))
        found = []
        for top in tops[tops < end - start]:
            peak = self._peak(int(top), start, begin, band, energy, level)
            if peak is not None:
                self._peaks = [*self._peaks[1 - _MEMORY :], peak]
                if len(self._peaks) > 2:
                    self._interval = float(np.median(np.diff(self._peaks)))
                self._energies = [*self._energies[1 - _MEMORY :], min(float(energy[top]), 3 * level)]
                found.append(peak)
        return found

    def _peak(
        self, top: int, start: int, begin: int, band: np.ndarray, energy: np.ndarray, level: float
    ) -> int | None:
        """The R peak near the energy maximum at `start + top`, or None if it is no new beat."""
        refractory, around = int(_REFRACTORY * self.rate), int(_AROUND * self.rate)
        last = self._peaks[-1] if self._peaks else -(10**9)
        overdue = start + top - last > _OVERDUE * self._interval
        if start + top < begin and not (overdue and self._peaks):
            return None  # in the part that was searched before, only an overdue beat is new
        if energy[top] < (_MISSED if overdue else _THRESHOLD) * level:
            return None
        if energy[top] < energy[max(0, top - refractory) : top + refractory].max():
            return None  # a stronger one is beside it
        near = max(0, top - around)
        peak = start + near + int(np.abs(band[near : top + around + 1]).argmax())
        return peak if peak - last >= refractory else None


def qrs_band(signal: np.ndarray, rate: float) -> np.ndarray:
    """(samples,) the signal in the band of the QRS complex, about 3 to 17 Hz."""
    return moving_average(signal, _SHORT * rate) - moving_average(signal, _LONG * rate)


def moving_average(x: np.ndarray, length: float) -> np.ndarray:
    """(samples,) the mean of the `length` samples around each of `x` (samples,), of fewer at the ends."""
    half = max(1, round(length / 2))
    total = np.concatenate([[0.0], np.cumsum(x)])
    # Those of a detector's blocks are kept; those of whole recordings would fill the memory.
    around = _around if len(x) <= _KEPT else _around.__wrapped__
    first, last, count = around(len(x), half)
    return (total[last] - total[first]) / count


@lru_cache(maxsize=64)
def _around(length: int, half: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each of `length` positions: the first and the end of those within `half`, and their number."""
    at = np.arange(length)
    first, last = np.maximum(0, at - half), np.minimum(length, at + half + 1)
    return first, last, last - first
