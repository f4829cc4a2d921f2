"""An ECG lead is known by its name and unit, wherever it stands in a recording."""

import warnings

import pytest

from lstm_apps.errors import InputError
from lstm_apps.healthcare.ecg.leads import Channel, choose, ecg_leads

MONITOR = [
    ("RESP", "pm"), ("ABP", "mmHg"), ("PLETH", "NU"), ("CVP", "mmHg"), ("ICP", "mmHg"), ("MCL1", "mV"),
    ("V", "mV"),
    ("II", "mV"),
]  # fmt: skip


def channels(pairs):
    return [Channel(*pair) for pair in pairs]


@pytest.mark.parametrize(
    "name",
    [
        "I", "II", "III", "aVR", "aVL", "aVF", "AVR", "V", "V1", "v6", "MLII", "MLIII", "ML2", "MCL1",
        "MCL", "ECG",
        "ECG1", "ECG2", "ecg", "EKG", "X", "vx", "CM5", "CC5", "D3", "mod.V1", "ES", "Lead II", "ECG Lead II",
        "ECG II", "ECG_V5", "lead_i", "ECG lead 1", "V2-V3", "MV2",
    ],
)  # fmt: skip
def test_leads_are_known_by_their_names(name):
    for unit in ("mV", "uV", "µV", "μV", "V", "adu", "NU", "", "MV"):
        assert ecg_leads([Channel("ABP", "mmHg"), Channel(name, unit)]) == [1]
    assert ecg_leads([Channel(name, "mmHg"), Channel(name, "pm")]) == []  # what it measures is no voltage


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("ABP", "mmHg"), ("RESP", "mV"), ("Resp", "pm"), ("PLETH", "mV"), ("pleth", ""), ("ART", "mV"),
        ("CO2", ""),
        ("EEG Fpz-Cz", "uV"), ("EMG", "mV"), ("SpO2", "%"), ("ICP", "mmHg"), ("PPG", "V"), ("BP", ""),
        ("P1", "mmHg"),
        ("airflow", "mV"), ("EOG(L)", "uV"), ("anything", "mmHg"), ("anything", ""), ("", ""),
    ],
)  # fmt: skip
def test_other_signals_are_no_leads(name, unit):
    assert ecg_leads([Channel(name, unit)]) == []
    with pytest.raises(InputError, match="has no ECG lead"):
        choose([Channel(name, unit)], None, "x")


def test_a_voltage_without_a_leads_name_is_one_where_no_other_is():
    assert ecg_leads(channels([("ABP", "mmHg"), ("channel 2", "mV"), ("col3", "uV")])) == [1, 2]
    assert ecg_leads(channels([("channel 2", "mV"), ("II", "mV")])) == [1]


def test_millivolts_are_known_of_each_unit():
    units = {"mV": 1, "uV": 1e-3, "µV": 1e-3, "μV": 1e-3, "V": 1e3, " mv ": 1, "adu": None, "": None}
    assert {u: Channel("II", u).millivolts for u in units} == units


@pytest.mark.parametrize(
    ("names", "read"),
    [
        (["V1", "I", "II", "III"], "II"), (["V5", "MLII"], "MLII"), (["V", "aVR", "MCL1"], "MCL1"),
        (["MCL1", "ECG Lead II"], "ECG Lead II"), (["III", "V1"], "III"), (["ECG1", "ECG2"], "ECG1"),
    ],
)  # fmt: skip
def test_lead_ii_or_alike_is_read_first_and_told(names, read):
    with pytest.warns(UserWarning, match=rf"lead {read} in mV .* is read, not .*; --lead NAME reads another"):
        assert names[choose(channels([(n, "mV") for n in names]), None, "x")] == read


def test_a_lead_is_read_by_name_or_by_number():
    found = channels(MONITOR)
    for wanted, at in (("mcl1", 5), ("II", 7), ("ii", 7), ("lead ii", 7), ("6", 6), (6, 6), ("v", 6)):
        with warnings.catch_warnings(action="error"):
            assert choose(found, wanted, "x") == at
    assert choose(channels([("ECG1", "mV"), ("ECG2", "mV")]), "1", "x") == 1
    with pytest.warns(UserWarning, match="not RESP in pm, ABP in mmHg"):
        assert choose(found, None, "x") == 7
    with warnings.catch_warnings(action="error"):  # there is no other
        assert choose([Channel("I", "mV")], None, "x") == 0


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("MCL2", "no lead 'MCL2'.*did you mean 'MCL1'"), ("9", "no channel 9"), ("ABP",
        "ABP in mmHg is no lead"),
        ("0", "RESP in pm is no lead of an ECG; its leads are MCL1, V, II"), ("-1", "no lead '-1'"), ("",
        "no lead ''"),
    ],
)  # fmt: skip
def test_what_is_no_lead_is_not_read(wanted, message):
    with pytest.raises(InputError, match=message):
        choose(channels(MONITOR), wanted, "x")


def test_a_channel_that_nothing_is_known_of_is_read_if_it_is_asked_for():
    assert choose(channels([("ABP", "mmHg"), ("col1", "")]), "1", "x") == 1
