"""Synthetic ECGs, to try things out without a recording: their figures say nothing of people.

Each beat is a sum of Gaussian waves P, Q, R, S and T, as in the model of McSharry et al. (2003, IEEE Trans
Biomed Eng 50(3)), with an individual's own sizes; the rhythm has premature beats, which that model lacks.
"""

from pathlib import Path

import numpy as np

from lstm_apps.data.sources.source import Source

RATE = 250
BEATS = 1500  # of a record
HEARTS = 16
# Seconds from the R peak, height (mV) and width (s) of the waves P, Q, R, S and T.
_NORMAL = np.array(
    [[-0.17, 0.12, 0.022], [-0.03, -0.1, 0.01], [0, 1.1, 0.012], [0.03, -0.25, 0.011], [0.25, 0.28, 0.05]]
)
# Of a ventricular beat: no P, all of it wide, T against R.
_VENTRICULAR = np.array([[-0.05, 0.15, 0.03], [0, -1.4, 0.045], [0.08, 0.35, 0.04], [0.32, 0.4, 0.06]])
# Intervals as parts of the usual: before a premature beat of each kind, and the pause after it.
_EARLY = {"N": 1.0, "S": 0.68, "V": 0.62}
_PAUSE = {"N": 1.0, "S": 1.05, "V": 1.3}
_REACH = 0.7  # seconds to either side that a beat's waves fill


def heart(beats: int = 80, seed: int = 0, ectopic: float = 0.2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One heart, at `RATE` samples a second.

    Args:
        beats: How many; the first eight are normal.
        seed: Which heart.
        ectopic: Share of premature beats, half of them S (supraventricular), half V (ventricular).

    Returns:
        The signal in mV, (samples,); the samples of the R peaks, (beats,); and each beat's kind.
    """
    rng = np.random.default_rng(seed)
    usual = rng.uniform(0.7, 1.0)  # seconds from beat to beat
    kinds = rng.choice(["N", "S", "V"], size=beats, p=[1 - ectopic, ectopic / 2, ectopic / 2])
    kinds[:8] = "N"
    normal, ventricular = (w * _drawn(rng, w) for w in (_NORMAL, _VENTRICULAR))
    ventricular[:, 1] *= rng.choice([-1, 1])
    supraventricular = normal.copy()
    supraventricular[0, 1] *= rng.uniform(-1, 0.5)  # its P wave begins elsewhere
    early = np.array([_EARLY[k] for k in kinds])
    pause = np.array([1.0, *(_PAUSE[k] for k in kinds[:-1])])
    drift = 1 + 0.05 * np.sin(np.arange(beats) / 5)  # breathing
    intervals = usual * early * pause * drift * rng.uniform(0.97, 1.03, beats)
    peaks = (np.cumsum(intervals) * RATE).astype(int)
    reach = int(_REACH * RATE)
    signal = np.zeros(peaks[-1] + 2 * RATE)
    for peak, kind in zip(peaks, kinds, strict=True):
        waves = {"N": normal, "S": supraventricular, "V": ventricular}[kind]
        waves = waves * (1 + 0.05 * rng.standard_normal(waves.shape))
        around = np.arange(max(0, peak - reach), peak + reach)
        since = (around - peak)[:, None] / RATE - waves[:, 0]
        signal[around] += (waves[:, 1] * np.exp(-0.5 * (since / waves[:, 2]) ** 2)).sum(axis=1)
    time = np.arange(len(signal)) / RATE
    wander = 0.15 * np.sin(2 * np.pi * 0.25 * time) + 0.1 * np.sin(2 * np.pi * 0.05 * time)
    return signal + wander + rng.uniform(0.01, 0.04) * rng.standard_normal(len(signal)), peaks, kinds


def _drawn(rng: np.random.Generator, waves: np.ndarray) -> np.ndarray:
    """Factors of an individual, one for each number of `waves`."""
    return np.exp(rng.normal(0, [0.1, 0.25, 0.15], waves.shape))


def write_records(folder: Path, records: int = HEARTS, beats: int = BEATS) -> Path:
    """A folder of WFDB records, each of one heart, with annotated beats."""
    import wfdb

    folder.mkdir(parents=True, exist_ok=True)
    for i in range(records):
        signal, peaks, kinds = heart(beats, seed=i, ectopic=0.04 + 0.16 * (i % 4) / 3)
        name = f"synthetic{i:02}"
        wfdb.wrsamp(
            name,
            fs=RATE,
            units=["mV"],
            sig_name=["II"],
            p_signal=signal[:, None],
            fmt=["16"],
            write_dir=str(folder),
        )
        symbols = [{"N": "N", "S": "A", "V": "V"}[k] for k in kinds]
        wfdb.wrann(name, "atr", peaks, symbol=symbols, write_dir=str(folder))
    return folder


SOURCE = Source(
    name="synthetic-hearts",
    summary="24,000 synthetic beats of 16 synthetic hearts, to try things out offline",
    origin="lstm_apps.data.sources.synthetic_hearts",
    licence="Apache-2.0, as this package",
    citation="after P. McSharry et al. (2003). A dynamical model for generating synthetic "
    "electrocardiogram signals. IEEE Trans Biomed Eng 50(3)",
    file="synthetic-hearts",
    fetch=write_records,
)
