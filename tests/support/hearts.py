"""Hearts of our own: beats of three kinds at known places, in a WFDB folder."""

import numpy as np

RATE = 250


def heart(beats=80, seed=0, ectopic=0.2):
    """A signal (samples,), the samples of its R peaks, and the kind of each beat: N, S (too early) or V
    (too early, wide and upside down, with a pause after it)."""
    rng = np.random.default_rng(seed)
    usual = rng.uniform(0.7, 1.0)
    kinds = rng.choice(["N", "S", "V"], size=beats, p=[1 - ectopic, ectopic / 2, ectopic / 2])
    kinds[:8] = "N"
    times, at = [], 0.0
    for before, kind in zip(["N", *kinds[:-1]], kinds, strict=True):
        at += (
            usual * {"N": 1.3 if before == "V" else 1.0, "S": 0.65, "V": 0.6}[kind] * rng.uniform(0.98, 1.02)
        )
        times.append(at)
    peaks = (np.array(times) * RATE).astype(int)
    time = np.arange(int((at + 2) * RATE)) / RATE
    signal = 0.02 * rng.standard_normal(len(time)) + 0.2 * np.sin(2 * np.pi * 0.2 * time)
    for peak, kind in zip(peaks, kinds, strict=True):
        since = time - peak / RATE
        height, width = (-1.3, 0.05) if kind == "V" else (1.0, 0.015)
        signal += height * np.exp(-((since / width) ** 2)) + 0.2 * np.exp(-(((since - 0.25) / 0.06) ** 2))
    return signal, peaks, kinds


def write_records(folder, records=6, beats=400):
    """A folder of WFDB records of hearts."""
    import wfdb

    folder.mkdir(parents=True, exist_ok=True)
    for i in range(records):
        signal, peaks, kinds = heart(beats, seed=i)
        symbols = [{"N": "N", "S": "A", "V": "V"}[k] for k in kinds]
        wfdb.wrsamp(
            f"p{i}",
            fs=RATE,
            units=["mV"],
            sig_name=["II"],
            p_signal=signal[:, None],
            fmt=["16"],
            write_dir=str(folder),
        )
        wfdb.wrann(f"p{i}", "atr", peaks, symbol=symbols, write_dir=str(folder))
    return folder
