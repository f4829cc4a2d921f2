"""ECG records with annotated beats, in the WFDB format of PhysioNet."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lstm_apps.errors import InputError, first_line, naming
from lstm_apps.healthcare.ecg.files import channels, read_ecg
from lstm_apps.healthcare.ecg.leads import ecg_leads
from lstm_apps.healthcare.ecg.quality import bridged

NEAR = 0.15  # seconds within which a detected peak is an annotated beat (ANSI/AAMI EC57)
_MISSING = 0.1  # share of a training record that may be missing
LAYOUT = (
    "a folder of WFDB records, each of another patient and with beats annotated in a file of the ending "
    ".atr; or one with a subfolder of records a patient"
)
# The AAMI class (ANSI/AAMI EC57) of each of PhysioNet's beat symbols.
AAMI = {
    **dict.fromkeys("NLRej", "N"),  # from the sinus node, with or without bundle branch block
    **dict.fromkeys("AaJS", "S"),  # supraventricular ectopic
    **dict.fromkeys("VE", "V"),  # ventricular ectopic
    "F": "F",  # fusion of N and V
    **dict.fromkeys("/fQ", "Q"),  # paced or unclassifiable
}
# The split between patients of de Chazal et al. (2004) of the MIT-BIH database; the four records of patients
# with pacemakers are left out, as the standard requires.
DS1 = (
    "101",
    "106",
    "108",
    "109",
    "112",
    "114",
    "115",
    "116",
    "118",
    "119",
    "122",
    "124",
    "201",
    "203",
    "205",
    "207",
    "208",
    "209",
    "215",
    "220",
    "223",
    "230",
)
DS2 = (
    "100",
    "103",
    "105",
    "111",
    "113",
    "117",
    "121",
    "123",
    "200",
    "202",
    "210",
    "212",
    "213",
    "214",
    "219",
    "221",
    "222",
    "228",
    "231",
    "232",
    "233",
    "234",
)


PACED = ("102", "104", "107", "217")
SAME_PATIENT = {"201": "202"}  # of DS1, of DS2: one man, as PhysioNet's directory of the records has it


@dataclass(frozen=True)
class EcgRecord:
    """One lead of a record with its beats."""

    name: str
    lead: int  # among the ECG leads of the record, from 0
    signal: np.ndarray  # (samples,) in mV where the unit is known
    rate: float  # samples per second
    peaks: np.ndarray  # (beats,) samples of R peaks, ascending
    labels: np.ndarray  # (beats,) AAMI classes

    def match(self, found: np.ndarray) -> np.ndarray:
        """Assign detected peaks to beats: the nearest within 150 ms (ANSI/AAMI EC57), each beat once.

        Args:
            found: (peaks,) samples, ascending.

        Returns:
            (peaks,) the index of the beat, -1 of a false peak.
        """
        if not len(found):
            return np.zeros(0, np.int64)
        beat, peak = _nearest(self.peaks, found), _nearest(found, self.peaks)
        close = np.abs(self.peaks[beat] - found) <= NEAR * self.rate
        return np.where(close & (peak[beat] == np.arange(len(found))), beat, -1)


def _nearest(places: np.ndarray, to: np.ndarray) -> np.ndarray:
    """(to,) the index in `places`, which ascend, of the nearest."""
    after = np.searchsorted(places, to).clip(1, max(1, len(places) - 1))
    before = after - 1
    after = after.clip(max=len(places) - 1)
    return np.where(to - places[before] <= places[after] - to, before, after)


def list_records(folder: Path) -> dict[str, list[Path]]:
    """The paths, without ending, of each patient's annotated records, in the order of names. A record of the
    folder is a patient; where there is none, a subfolder of records is.

    Raises:
        InputError: No folder, or no annotated record in it.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}; expected {LAYOUT}.")
    found = {path.name: [path] for path in _annotated(folder)}
    found = found or {f.name: paths for f in sorted(folder.iterdir()) if (paths := _annotated(f))}
    if not found:
        raise InputError(f"{folder} holds no annotated record, expected {LAYOUT}.")
    return found


def _annotated(folder: Path) -> list[Path]:
    return sorted(f.with_suffix("") for f in folder.glob("*.hea") if f.with_suffix(".atr").is_file())


def leads(path: Path) -> list[int]:
    """The channels of a record, from 0, that are ECG leads by name and unit; an InputError where none is."""
    found = channels(path)
    if not (places := ecg_leads(found)):
        raise InputError(f"{path} has no ECG lead, only {', '.join(map(str, found))}.")
    return places


def read_record(path: Path, lead: int = 0) -> EcgRecord:
    """One lead of a record with its annotated beats; those outside the signal are left out.

    Args:
        path: Path of the record, without ending.
        lead: Which of its ECG leads, from 0, in the order of the record.

    Raises:
        InputError: No record, no such lead or one that is flat, no annotations that can be read, or
            hardly any.
    """
    import wfdb

    try:
        signal, rate = read_ecg(path, leads(path)[lead])
        missing = np.isnan(signal).mean()
        if missing > _MISSING:
            raise InputError(f"{missing:.0%} of the ECG are not numbers.")
    except InputError as error:
        raise naming(path, error) from error
    signal = bridged(signal)
    if not np.ptp(signal):
        raise InputError(f"{path} is flat in lead {lead + 1}: that is no ECG.")
    try:
        found = wfdb.rdann(str(path), "atr")
    except Exception as error:  # wfdb raises whatever its parsing meets
        raise InputError(f"The annotations of {path} cannot be read: {first_line(error)}") from error
    beats = [i for i, symbol in enumerate(found.symbol) if symbol in AAMI]
    labels = np.array([AAMI[found.symbol[i]] for i in beats])
    # Annotations may have a time scale of their own.
    peaks = np.rint(np.asarray(found.sample)[beats] * (rate / (found.fs or rate))).astype(np.int64)
    inside = (peaks >= 0) & (peaks < len(signal))
    if not inside.all():
        warnings.warn(f"{path}: {(~inside).sum()} beats are annotated outside of the signal.", stacklevel=2)
    if inside.sum() < 3:
        raise InputError(f"{path} has {inside.sum()} annotated beats, expected three at least.")
    return EcgRecord(path.name, lead, signal, rate, peaks[inside], labels[inside])
