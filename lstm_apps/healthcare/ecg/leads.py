"""Which channels of a recording are ECG leads: by name and unit, never by position."""

import difflib
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from lstm_apps.errors import InputError

# Unit -> mV. Beside the micro sign stands the Greek letter, which looks the same.
_MILLIVOLTS = {"v": 1e3, "mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "nv": 1e-6}
_MILLIVOLTS |= {"volt": 1e3, "volts": 1e3, "millivolt": 1.0, "millivolts": 1.0}
_MILLIVOLTS |= {"microvolt": 1e-3, "microvolts": 1e-3, "mikrovolt": 1e-3}
_UNKNOWN = (
    "",
    "adu",
    "nu",
    "au",
    "a.u.",
    "a.u",
    "arb",
    "counts",
    "count",
    "lsb",
    "?",
    "unknown",
    "none",
    "-",
)
# The standard leads, those of monitors (MCL1, MLII), of Holter recorders (CM5, CC5), Frank's and EASI.
_LEAD = re.compile(
    r"I{1,3}|-?A?V[RLF]|V|V[1-9]R?|V[XYZ]|[XYZ]|M?L(I{1,3}|[1-5])|[DM](I{1,3}|V?[1-6])|MCL?[LR]?[1-6]?"
    r"|C[MCSBR][1-6]|ES|AS|AI|V[1-6]-?V[1-6]"
)
_OTHER = re.compile(
    r"(N?I?BP|A?O?BP|ABP|ART|AOBP|CVP|ICP|CPP|PAP|LAP|RAP|FEMP?|UAP|UVP|P[1-9]|RESP|RR|IMP|PLETH|PPG|BVP|SPO2|SAO2"
    r"|SO2|O2|CO2|ETCO2|EEG|EOG|EMG|ERG|PCG|SCG|BCG|FLOW|AIR ?FLOW|NASAL|THOR|ABD|CHEST|SNORE|SOUND|MIC|TEMP"
    r"|GSR|EDA|SCR|HR|PULSE?|STIM|MARK|TRIG|EVENT|TIME|ACC|GYR|MAG|CAL|STATUS|ANN|LABEL)([^A-Z].*)?"
    r"|(RESP|PLETH|FLOW|AIR|NASAL|THOR|ABDO|TEMP|PULS|STIM|MARK|TRIG|EVENT|ANNOT|ACCEL|GYRO|PRESS|BREATH|EEG|EMG"
    r"|EOG|PPG|ART).*"
)
# Leads with a mostly upright QRS complex, as in ambulatory recordings.
_PREFERRED = (re.compile(r"M?L?II|M?L2|[DM](II|2)"), re.compile(r"MCL?[1-6]?"))


@dataclass(frozen=True)
class Channel:
    """A channel of a recording.

    Attributes:
        name: As in the recording; may be empty.
        unit: Of its values; may be empty.
    """

    name: str
    unit: str = ""

    @property
    def base(self) -> str:
        """The name of the lead alone: "II" of "ECG Lead II"."""
        name = re.sub(r"\b(LEADS?|ABLEITUNG|MOD|CH|SIGNAL)\b|(?<=[A-Z])LEAD\b", " ", self._words)
        return re.sub(r"^(ECG|EKG)(?=[ \dIVAM]|$)|[ _.:']", "", name)

    @property
    def _words(self) -> str:
        return re.sub(r"[\s_.:'\"]+", " ", self.name).strip().upper()

    @property
    def millivolts(self) -> float | None:
        """One of its unit in mV; None if the unit is no voltage."""
        return _MILLIVOLTS.get(self.unit.strip().lower())

    @property
    def is_named(self) -> bool:
        """Whether its name is that of a lead."""
        return bool(re.match(r"(ECG|EKG)|.*\b(ECG|EKG)\b", self._words) or _LEAD.fullmatch(self.base))

    @property
    def is_other(self) -> bool:
        """Whether name or unit are those of another signal."""
        measures_else = self.millivolts is None and self.unit.strip().lower() not in _UNKNOWN
        return measures_else or (not self.is_named and bool(_OTHER.fullmatch(self._words)))

    @property
    def is_lead(self) -> bool:
        """Whether it is an ECG lead by name or unit."""
        return not self.is_other and (self.is_named or self.millivolts is not None)

    def __str__(self) -> str:
        unit = f" in {self.unit}" if self.unit.strip() else " without a unit"
        return (self.name or "a channel without a name") + unit


def ecg_leads(channels: Sequence[Channel]) -> list[int]:
    """Positions of the ECG leads, ascending: channels with the name of a lead and a voltage or no known unit;
    where there is none, voltages that are not known as another signal."""
    named = [i for i, c in enumerate(channels) if c.is_named and c.is_lead]
    return named or [i for i, c in enumerate(channels) if c.is_lead]


def choose(channels: Sequence[Channel], wanted: str | int | None, source: str) -> int:
    """The position of the lead to read; a warning names it if there are others.

    Args:
        channels: All channels of a recording.
        wanted: Name of a lead, in any case, or its number among all channels from 0; None: II or alike, else
            MCL or alike, else the first one.
        source: The name of the recording in messages.

    Raises:
        InputError: No such lead, or none at all.
    """
    leads = ecg_leads(channels)
    if wanted is not None:
        return _named(channels, wanted, leads, source)
    if not leads:
        raise InputError(
            f"{source} has no ECG lead, only {_all(channels)}: a lead has a name such as II, V1, MCL1 or ECG "
            "and a unit of voltage. If one is an ECG, --lead takes its number, from 0."
        )
    ranks = [next((r for r, p in enumerate(_PREFERRED) if p.fullmatch(channels[i].base)), 9) for i in leads]
    found = leads[ranks.index(min(ranks))]
    if len(channels) > 1:
        others = [str(channels[i]) for i in range(len(channels)) if i != found]
        how = "; --lead NAME reads another." if len(leads) > 1 else "."
        warnings.warn(
            f"{source}: lead {channels[found]} (channel {found}) is read, not {', '.join(others)}{how}",
            stacklevel=2,
        )
    return found


def _named(channels: Sequence[Channel], lead: str | int, leads: list[int], source: str) -> int:
    wanted = str(lead).strip()
    by_name = [i for i, c in enumerate(channels) if c.name.strip().casefold() == wanted.casefold()]
    if not wanted.isdecimal():
        by_name += [i for i in leads if channels[i].base == Channel(wanted).base]
    if by_name and isinstance(lead, str):
        found = by_name[0]
    elif wanted.isdecimal():
        found = int(wanted)
        if found >= len(channels):
            raise InputError(f"{source} has no channel {found}, only {_all(channels)}, counted from 0.")
    else:
        names = [channels[i].name for i in leads]
        near = difflib.get_close_matches(wanted.upper(), [n.upper() for n in names], n=1)
        hint = next((f"; did you mean {n!r}?" for n in names if near and n.upper() == near[0]), ".")
        raise InputError(f"{source} has no lead {wanted!r}, only {_all(channels)}{hint}")
    if channels[found].is_other:
        known = f"; its leads are {', '.join(channels[i].name for i in leads)}" if leads else ""
        raise InputError(f"{source}: {channels[found]} is no lead of an ECG{known}.")
    return found


def _all(channels: Sequence[Channel]) -> str:
    return ", ".join(map(str, channels))
