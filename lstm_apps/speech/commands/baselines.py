"""Baselines of word recognition, tuned on validation: classifiers from before neural networks."""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.fft import dct

from lstm_apps.features.mel import LogMel
from lstm_apps.speech.commands.data import Recording

NAMES = ("MFCC statistics, SVM", "MFCC, DTW nearest neighbour")
_COEFFICIENTS = 13


def predictions(
    spectrogram: LogMel, train: list[Recording], validation: list[Recording], test: list[Recording]
) -> Iterator[tuple[str, np.ndarray]]:
    """Each baseline's name and its predicted words (recordings,) for the test part."""
    parts = [
        [mfcc(spectrogram, r.read(spectrogram.rate)) for r in part] for part in (train, validation, test)
    ]
    words = [np.array([r.label for r in part]) for part in (train, validation)]
    yield NAMES[0], _svm(parts, words)
    yield NAMES[1], _nearest(parts[0], words[0], parts[2])


def mfcc(spectrogram: LogMel, samples: np.ndarray) -> np.ndarray:
    """Mel-frequency cepstral coefficients (Davis & Mermelstein 1980) minus their mean over the recording:
    (samples,) -> (frames, 13)."""
    cepstra = dct(spectrogram(samples), norm="ortho")[:, :_COEFFICIENTS]
    return cepstra - cepstra.mean(axis=0)


def _statistics(cepstra: np.ndarray) -> np.ndarray:
    """(features,): means of thirds of the word, spread and extremes of coefficients (frames, 13), spread of
    their differences, and the duration."""
    thirds = [t for t in np.array_split(cepstra, 3) if len(t)]
    thirds += [cepstra] * (3 - len(thirds))
    change = np.diff(cepstra, axis=0) if len(cepstra) > 1 else np.zeros_like(cepstra)
    return np.concatenate(
        [*(t.mean(axis=0) for t in thirds), cepstra.std(axis=0), cepstra.min(axis=0), cepstra.max(axis=0),
         change.std(axis=0), np.abs(change).mean(axis=0), [len(cepstra)]]
    )  # fmt: skip


def _svm(parts: list[list[np.ndarray]], words: list[np.ndarray]) -> np.ndarray:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    train, validation, test = (np.stack([_statistics(c) for c in part]) for part in parts)
    fitted = [
        make_pipeline(StandardScaler(), SVC(C=c, gamma=gamma / train.shape[1])).fit(train, words[0])
        for c in (1, 10, 100)
        for gamma in (0.3, 1, 3)
    ]
    return max(fitted, key=lambda model: model.score(validation, words[1])).predict(test)


def _nearest(known: list[np.ndarray], words: np.ndarray, test: list[np.ndarray]) -> np.ndarray:
    return np.array([words[warping_distances(known, cepstra).argmin()] for cepstra in test])


def warping_distances(known: Sequence[np.ndarray], cepstra: np.ndarray) -> np.ndarray:
    """Dynamic time warping (Sakoe & Chiba 1978, symmetric, without a band) of one sequence (frames,
    coefficients) with each of `known`: (known,) least sums of Euclidean distances along a path, divided by
    both lengths."""
    lengths = np.array([len(k) for k in known])
    padded = np.zeros((len(known), lengths.max(), cepstra.shape[1]), np.float32)
    for row, k in zip(padded, known, strict=True):
        row[: len(k)] = k
    square = (padded**2).sum(-1)[:, :, None] + (cepstra**2).sum(-1)
    distance = np.sqrt(np.maximum(0, square - 2 * padded @ cepstra.T.astype(np.float32)))
    distance = np.ascontiguousarray(distance.transpose(2, 1, 0))  # (frames, known frames, known)
    before = np.full((lengths.max() + 1, len(known)), np.inf, np.float32)
    before[0] = 0
    for frame in distance:
        now = np.full_like(before, np.inf)
        for i, here in enumerate(frame):
            now[i + 1] = here + np.minimum(np.minimum(before[i], before[i + 1]), now[i])
        before = now
    return before[lengths, np.arange(len(known))] / (lengths + len(cepstra))
