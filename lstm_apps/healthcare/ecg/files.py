"""Reads an ECG: a WFDB record, a CSV file, an Apple Watch export, or an array."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from lstm_apps.errors import InputError, first_line
from lstm_apps.features.raw import as_array, is_file, is_folder
from lstm_apps.healthcare.ecg.leads import Channel, choose
from lstm_apps.healthcare.ecg.table import read_table

FORMS = (
    "the path of a WFDB record (.hea), of a CSV file of times and mV (or of mV alone, with --rate), or of an "
    "ECG that Apple Watch exported; in Python also a pair (signal, samples per second)"
)
_TABLES = (".csv", ".tsv", ".txt")
_WFDB = ("", ".hea", ".dat", ".atr")
_LARGEST = 1e12  # its squares are finite
_SLOWEST, _FASTEST = 50, 5000  # samples a second


def read_ecg(raw: Any, lead: str | int | None = None, rate: float | None = None) -> tuple[np.ndarray, float]:
    """One lead of an ECG, and its sampling rate.

    Args:
        raw: One of `FORMS`.
        lead: Name of a lead, or its number among the channels from 0; None: `leads.choose` decides.
        rate: Samples per second, of a file that has no times.

    Returns:
        The signal (samples,), float64, in mV where its unit is known, NaN where a value is missing; and
        samples per second.

    Raises:
        InputError: None of `FORMS`, no such lead, no values, or an impossible rate.
    """
    if rate is not None:
        _check_rate(rate)
    if isinstance(raw, str | Path):
        signal, found = _read_file(Path(raw), lead, rate)
    elif isinstance(raw, tuple) and len(raw) == 2:
        signal, found = as_array(raw[0], "An ECG"), raw[1]
        if lead is not None or rate is not None:
            raise InputError("A pair (signal, rate) is one lead: it takes neither lead nor rate.")
    else:
        raise InputError(f"An ECG is {FORMS}.")
    if signal.ndim != 1 or not signal.size or signal.dtype.kind not in "iuf":
        raise InputError(f"An ECG of shape {signal.shape} and {signal.dtype}, expected numbers (samples,).")
    _check_rate(found)
    signal = signal.astype(np.float64)
    signal[~np.isfinite(signal)] = np.nan
    if (np.abs(signal) > _LARGEST).any():
        raise InputError(f"An ECG of values beyond {_LARGEST:g}, which no unit of voltage explains.")
    return signal, float(found)


def channels(path: Path) -> list[Channel]:
    """The channels of a WFDB record.

    Raises:
        InputError: No such record, or it cannot be read.
    """
    return _header(path)[0]


def _check_rate(rate: Any) -> None:
    if not isinstance(rate, int | float | np.number) or isinstance(rate, bool):
        raise InputError(f"A rate is a number of samples a second, such as 360.0, got {rate!r}.")
    if not _SLOWEST <= rate <= _FASTEST:
        raise InputError(f"A rate of {rate} samples a second, expected {_SLOWEST} to {_FASTEST:,}.")


def _read_file(path: Path, lead: str | int | None, rate: float | None) -> tuple[np.ndarray, float]:
    ending = path.suffix.lower()
    if ending in _TABLES:
        if not is_file(path):
            raise InputError(f"There is no file {path}.")
        return read_table(path, lead, rate)
    if is_folder(path):
        raise InputError(f"{path} is a folder; an ECG is {FORMS}.")
    if ending not in _WFDB and is_file(path) and not is_file(path.with_name(path.name + ".hea")):
        raise InputError(f"{path} is in no form that is read: an ECG is {FORMS}.")
    signal, found = _read_record(path, lead)
    if rate is not None and rate != found:
        raise InputError(f"{path} has {found:g} samples a second, not {rate:g}: leave --rate out.")
    return signal, found


def _read_record(path: Path, lead: str | int | None) -> tuple[np.ndarray, float]:
    found, name, segments = _header(path)
    at = choose(found, lead, str(path))
    import wfdb

    try:  # the channels of a record in segments are only known once it is read
        record = wfdb.rdrecord(name, channels=None if segments else [at])
    except Exception as error:  # wfdb raises whatever its parsing meets
        raise InputError(f"{path} is no WFDB record that can be read: {first_line(error)}") from error
    return record.p_signal[:, at if segments else 0] * (found[at].millivolts or 1.0), record.fs


def _header(path: Path) -> tuple[list[Channel], str, bool]:
    """The channels of a record, its name for wfdb, and whether it is in segments."""
    try:
        import wfdb
    except ImportError as error:
        raise InputError("Reading WFDB records needs wfdb: pip install 'lstm-apps[ecg]'.") from error
    path = path.with_suffix("") if path.suffix in _WFDB else path
    if not path.name or not is_file(path.with_name(path.name + ".hea")):
        raise InputError(f"There is no WFDB record {path}: {path.name}.hea is not there. An ECG is {FORMS}.")
    try:
        header: Any = wfdb.rdheader(str(path))
        segments = hasattr(header, "seg_name")
        if segments:
            header = wfdb.rdrecord(str(path))
        names, units = header.sig_name or [], header.units or []
        if not segments:
            units = _with_micro_signs(path.with_name(path.name + ".hea"), units)
        found = [Channel(n or "", u or "") for n, u in zip(names, units, strict=True)]
    except Exception as error:  # wfdb raises whatever its parsing meets
        raise InputError(f"{path} is no WFDB record that can be read: {first_line(error)}") from error
    if not found:
        raise InputError(f"{path} has no signals.")
    return found, str(path), segments


def _with_micro_signs(header: Path, units: list[str]) -> list[str]:
    """The units of a header's signals. wfdb reads ASCII only and takes µV for V."""
    lines = [line for line in header.read_bytes().splitlines() if line.strip() and not line.startswith(b"#")]
    micro = [re.search(rb"/(\xc2?\xb5|\xce\xbc)V\b", line) is not None for line in lines[1:]]
    return ["µV" if m and u == "V" else u for m, u in zip(micro, units, strict=True)]
