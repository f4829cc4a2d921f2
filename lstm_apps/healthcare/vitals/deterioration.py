"""Labels of early warning: what an event of deterioration is in recorded data, and which hours are eligible.

An event is one of: death, up to `HORIZON` hours after the last reading; hypotension, a mean arterial pressure
below 65 mmHg for half an hour or longer, from its first reading, measured or, in hours without one, computed
(`lstm_apps.healthcare.vitals.hours.HourGrid`); hypoxaemia, a saturation below 88 %; a
transfer to a unit for sicker patients.

The label of an hour is whether an event begins within `HORIZON` hours after its end. An hour is eligible if
it is stable, that is, no event lasts and enough is measured (`HourGrid`), and if its label is certain: the
readings go on for `HORIZON` hours or the patient dies, and a negative label takes a reading of pressure and
of saturation in that time.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np

from lstm_apps.healthcare.vitals.data import Stay
from lstm_apps.healthcare.vitals.features import HORIZON
from lstm_apps.healthcare.vitals.hours import LOW_MAP, LOW_SPO2, STABLE, Hour, hours_of
from lstm_apps.healthcare.vitals.readings import NAMES

DEATH, HYPOTENSION, HYPOXAEMIA, TRANSFER = "death", "hypotension", "hypoxaemia", "transfer up"
KINDS = (DEATH, HYPOTENSION, HYPOXAEMIA, TRANSFER)
_HOLDS = 1800  # seconds for which a pressure must stay low
_BREAK = 5400  # seconds between readings after which it is unknown whether it did


@dataclass(frozen=True)
class Course:
    """The hours of one stay with their labels."""

    stay: Stay
    rows: np.ndarray  # (hours, COLUMNS)
    ends: np.ndarray  # (hours,) seconds since 1970
    stable: np.ndarray  # (hours,) booleans: whether an alarm may be raised
    eligible: np.ndarray  # (hours,) booleans: whether it is stable and its label is certain
    label: np.ndarray  # (hours,) booleans: whether an event begins within `HORIZON` hours
    onset: np.ndarray  # (hours,) seconds since 1970 of that event, 0 where there is none
    kind: np.ndarray  # (hours,) one of KINDS, "" where there is none
    computed: np.ndarray  # (hours,) booleans: whether the mean pressure is computed from the two others


def events(stay: Stay) -> list[tuple[int, str]]:
    """The events of a stay in the order of time: onset in seconds since 1970, and one of `KINDS`."""
    return _events(stay, hours_of(stay.readings))


def _events(stay: Stay, hours: list[Hour]) -> list[tuple[int, str]]:
    seconds, vitals, values = stay.readings
    saturation = vitals == NAMES.index("spo2")
    begin, end = int(seconds[0]), int(seconds[-1])
    found = [(t, HYPOTENSION) for t in _hypotension([p for hour in hours for p in hour.pressures])]
    found += [(int(t), HYPOXAEMIA) for t in seconds[saturation & (values < LOW_SPO2)]]
    found += [(t, TRANSFER) for t in stay.transfers_up if begin < t <= end]
    if stay.death is not None and end <= stay.death <= end + HORIZON * 3600:
        found.append((stay.death, DEATH))
    return sorted(found)


def course(stay: Stay) -> Course:
    """Label the hours of a stay."""
    hours = hours_of(stay.readings)
    seconds, vitals, _ = stay.readings
    reach = HORIZON * 3600
    found = _events(stay, hours)
    times = [t for t, _ in found]
    dies = stay.death if (DEATH in [kind for _, kind in found]) else None
    pressures = np.array([second for hour in hours for second, _ in hour.pressures], np.int64)
    proof = pressures, seconds[vitals == NAMES.index("spo2")]
    eligible, onset, kinds = [], [], []
    for hour in hours:
        i = bisect_right(times, hour.end)
        label = i < len(times) and times[i] <= hour.end + reach
        followed = hour.end + reach <= seconds[-1] or (
            dies is not None and hour.end < dies <= hour.end + reach
        )
        proven = all(bisect_left(p, hour.end + 1) < bisect_right(p, hour.end + reach) for p in proof)
        eligible.append(hour.status == STABLE and followed and (label or proven))
        onset.append(times[i] if label else 0)
        kinds.append(found[i][1] if label else "")
    kind = np.array(kinds)
    return Course(
        stay,
        np.stack([h.row for h in hours]),
        np.array([h.end for h in hours]),
        np.array([h.status == STABLE for h in hours]),
        np.array(eligible),
        kind != "",
        np.array(onset),
        kind,
        np.array([h.computed for h in hours]),
    )


def _hypotension(pressures: list[tuple[int, float]]) -> list[int]:
    """Onsets (seconds since 1970) of hypotension: the first reading of each time that the pressure is low for
    `_HOLDS`, from times and pressures."""
    begins: list[int] = []
    first = last = None
    for time, pressure in pressures:
        if pressure >= LOW_MAP:
            first = None
            continue
        if first is None or last is None or time - last > _BREAK:
            first = time
        last = time
        if time - first >= _HOLDS and (not begins or begins[-1] != first):
            begins.append(first)
    return begins
