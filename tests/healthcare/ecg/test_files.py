"""WFDB records, whatever their first channel is."""

import warnings

import numpy as np
import pytest

from lstm_apps.data.sources.synthetic_hearts import RATE, heart
from lstm_apps.errors import InputError
from lstm_apps.healthcare.ecg.files import read_ecg
from lstm_apps.healthcare.ecg.quality import read

SIGNAL, _, _ = heart(beats=20)


def record(folder, name="x", **channels):
    """A WFDB record of channels of the given units: a heart where it is a voltage."""
    import wfdb

    millivolts = {"mV": 1, "uV": 1000, "V": 0.001, "adu": 1}
    values = [SIGNAL * millivolts[u] if u in millivolts else 80 + 20 * SIGNAL for u in channels.values()]
    wfdb.wrsamp(
        name, RATE, list(channels.values()), list(channels), np.stack(values, axis=1), write_dir=str(folder),
        fmt=["32"] * len(channels), adc_gain=[1e5] * len(channels), baseline=[0] * len(channels),
    )  # fmt: skip
    return folder / name


@pytest.mark.filterwarnings("ignore:.* is read, not")
@pytest.mark.parametrize("ending", ["", ".hea", ".dat"])
@pytest.mark.parametrize(
    "channels",
    [
        {"II": "mV"}, {"ABP": "mmHg", "MCL1": "mV"}, {"RESP": "pm", "PLETH": "NU", "II": "uV"}, {"ecg": "V"},
        {"ICP": "mmHg", "CVP": "mmHg", "V5": "adu"},
    ],
)  # fmt: skip
def test_the_ecg_is_read_in_millivolts(tmp_path, channels, ending):
    path = record(tmp_path, **channels)
    signal, rate = read_ecg(path.with_name(path.name + ending))
    assert rate == RATE
    np.testing.assert_allclose(signal, SIGNAL, atol=0.006)


@pytest.mark.parametrize("sign", ["µ".encode(), "µ".encode("latin-1"), "μ".encode()])
def test_microvolts_are_known_by_their_sign_too(tmp_path, sign):
    path = record(tmp_path, II="uV")
    header = path.with_suffix(".hea")
    header.write_bytes(b"# II in uV\n" + header.read_bytes().replace(b"/uV", b"/" + sign + b"V"))
    np.testing.assert_allclose(read_ecg(path)[0], SIGNAL, atol=0.006)


def test_which_lead_is_read_is_told(tmp_path):
    path = record(tmp_path, ABP="mmHg", V1="mV", II="mV")
    with pytest.warns(
        UserWarning, match=r"lead II in mV \(channel 2\) is read, not ABP in mmHg, V1 in mV; --lead"
    ):
        read_ecg(path)
    with warnings.catch_warnings(action="error"):
        read_ecg(path, "v1")


def test_no_ecg_and_no_such_lead_are_sentences(tmp_path):
    with pytest.raises(InputError, match="has no ECG lead, only ABP in mmHg, RESP in pm"):
        read_ecg(record(tmp_path, ABP="mmHg", RESP="pm"))
    path = record(tmp_path, "y", ABP="mmHg", II="mV", III="mV")
    with pytest.raises(InputError, match="ABP in mmHg is no lead of an ECG; its leads are II, III"):
        read_ecg(path, "abp")
    with pytest.raises(InputError, match=r"no lead 'IIII'.*did you mean 'III'"):
        read_ecg(path, "IIII")


def test_a_record_in_segments_is_read(tmp_path):
    for name in ("s1", "s2"):
        record(tmp_path, name, ABP="mmHg", II="mV")
    count = len(SIGNAL)
    (tmp_path / "whole.hea").write_text(f"whole/2 2 {RATE} {2 * count}\ns1 {count}\ns2 {count}\n")
    with pytest.warns(UserWarning, match="lead II"):
        signal, _ = read_ecg(tmp_path / "whole")
    np.testing.assert_allclose(signal, np.tile(SIGNAL, 2), atol=0.006)


def test_a_rate_is_for_files_without_times(tmp_path):
    path = record(tmp_path, II="mV")
    assert read_ecg(path, rate=float(RATE))[1] == RATE
    with pytest.raises(InputError, match="has 250 samples a second, not 360"):
        read_ecg(path, rate=360.0)
    for rate in (0.0, 49, 1e9, float("nan"), -1):
        with pytest.raises(InputError, match="expected 50 to 5,000"):
            read_ecg(path, rate=rate)
    with pytest.raises(InputError, match="neither lead nor rate"):
        read_ecg((SIGNAL, RATE), "II")


@pytest.mark.parametrize("rate", ["360", "x", None, True, [360.0]])
def test_a_rate_that_is_no_number_is_a_sentence(rate):
    with pytest.raises(InputError, match="A rate is a number of samples a second") as error:
        read_ecg((np.zeros(4000), rate))
    assert repr(rate) in str(error.value)


@pytest.mark.parametrize("content", ["time,mV\n", "time,mV", "", "\n\n"])
def test_a_table_without_rows_is_named(tmp_path, content):
    (tmp_path / "ours.csv").write_text(content)
    with pytest.raises(InputError, match=r"ours\.csv has no line of numbers"):
        read_ecg(tmp_path / "ours.csv")


def test_missing_and_absurd_values_make_no_warnings_of_numpy():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for missing in (slice(None), slice(1000, None), slice(0, 5)):
            signal = np.random.default_rng(0).normal(size=4000)
            signal[missing] = np.nan
            read(*read_ecg((signal, 360.0)))
        with pytest.raises(InputError, match="values beyond 1e"):
            read_ecg((np.full(4000, 1e300), 360.0))
