"""What can be read of an ECG, and what cannot."""

import numpy as np
import pytest

from lstm_apps.data.sources.synthetic_hearts import RATE, heart
from lstm_apps.healthcare.ecg.peaks import PeakDetector
from lstm_apps.healthcare.ecg.quality import (
    DISAGREE,
    DOUBTFUL,
    FLAT,
    LEAD_OFF,
    NOISE,
    SATURATED,
    agreement,
    bridged,
    is_noise,
    kurtosis,
    read,
    second_detector,
)

SIGNAL, PEAKS, _ = heart(beats=150, seed=1)
SIGNAL = SIGNAL[: 100 * RATE]


def coloured(colour, seconds, rate=RATE, seed=0):
    """Noise whose power falls with the frequency to the power of 0, 1 or 2."""
    count = seconds * rate
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=count))
    frequency = np.maximum(np.fft.rfftfreq(count, 1 / rate), 0.1)
    return np.fft.irfft(spectrum / frequency ** ({"white": 0, "pink": 1, "brown": 2}[colour] / 2), count)


def share(found, samples):
    return sum(s.end - s.begin for s in found) / samples


@pytest.mark.parametrize("rate", [100, 125, 360, 512, 1000])
@pytest.mark.parametrize("colour", ["white", "pink", "brown"])
@pytest.mark.parametrize("size", [14000.0])
def test_noise_cannot_be_read(colour, rate, size):
    noise = size * coloured(colour, 60, rate)
    found = read(noise, rate)
    assert share(found.unreadable, len(noise)) > 0.97
    assert {s.reason for s in found.unreadable} <= {NOISE, DISAGREE}
    assert sum(map(len, found.runs)) <= 3


@pytest.mark.parametrize(
    "signal",
    [
        np.sin(2 * np.pi * 0.25 * np.arange(15000) / RATE),  # breathing
        np.sin(2 * np.pi * 50 * np.arange(15000) / RATE),  # mains
        np.sin(2 * np.pi * 60 * np.arange(15000) / RATE),
        np.random.default_rng(0).uniform(-1, 1, 15000),
        np.cumsum(np.random.default_rng(0).normal(size=15000)),
        np.sign(np.sin(2 * np.pi * 1.0 * np.arange(15000) / RATE)),  # a calibration signal
        np.zeros(15000),
        np.full(15000, np.nan),
    ],
)
def test_what_is_no_ecg_at_all_cannot_be_read(signal):
    assert share(read(signal, RATE).unreadable, len(signal)) == 1


@pytest.mark.parametrize("seed", [0, 1, 3, 4])
@pytest.mark.parametrize("rate", [100, 250, 500])
def test_a_good_ecg_can_be_read_whole(seed, rate):
    signal, peaks, _ = heart(beats=150, seed=seed)
    time = np.arange(0, len(signal) / RATE, 1 / rate)
    found = read(np.interp(time, np.arange(len(signal)) / RATE, signal), rate)
    assert found.unreadable == found.doubtful == []
    assert len(found.runs) == 1
    assert abs(len(found.runs[0]) - len(peaks)) <= 2


def test_its_peaks_are_those_of_the_detector():
    (peaks,) = read(SIGNAL, RATE).runs
    np.testing.assert_array_equal(peaks, PeakDetector(RATE).all(SIGNAL))


@pytest.mark.parametrize("rate", [250, 360])
@pytest.mark.parametrize("size", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("mains", [50, 60])
def test_beats_are_found_in_hum(mains, size, rate):
    time = np.arange(0, 40, 1 / rate)
    signal = np.interp(time, np.arange(len(SIGNAL)) / RATE, SIGNAL)
    found = read(signal + size * np.sin(2 * np.pi * mains * time), rate)
    assert found.hum == (mains if size > 0.3 else 0)
    assert found.unreadable == found.doubtful == []
    assert agreement(found.runs[0], read(signal, rate).runs[0], 0.05 * rate) > 0.97
    assert read(signal, rate).hum == 0


@pytest.mark.parametrize(
    ("value", "reason"), [(np.nan, LEAD_OFF), (0.1, FLAT), (4.0, SATURATED), (-4.0, SATURATED)]
)
def test_flat_and_missing_segments_begin_and_end_where_they_do(value, reason):
    signal = SIGNAL.copy()
    signal[30 * RATE : 37 * RATE] = value
    found = read(signal, RATE)
    (segment,) = found.unreadable
    assert segment.reason == reason
    assert segment.begin == pytest.approx(30 * RATE, abs=0.6 * RATE)
    assert segment.end == pytest.approx(37 * RATE, abs=0.6 * RATE)
    assert len(found.runs) == 2


def test_a_line_that_is_flat_but_for_the_converters_steps_is_flat():
    signal = SIGNAL.copy()
    signal[30 * RATE : 37 * RATE] = 0.005 * np.random.default_rng(0).integers(0, 2, 7 * RATE)
    assert [s.reason for s in read(signal, RATE).unreadable] == [FLAT]


def test_a_clipped_signal_is_saturated():
    signal = SIGNAL.copy()
    signal[40 * RATE : 60 * RATE] = np.clip(3 * SIGNAL[40 * RATE : 60 * RATE], -0.3, 0.3)
    found = read(signal, RATE).unreadable
    assert {s.reason for s in found} == {SATURATED}
    assert share(found, 20 * RATE) == pytest.approx(1, abs=0.4)
    assert read(np.clip(SIGNAL, -9, 0.9 * SIGNAL.max()), RATE).unreadable == []  # of some beats the top


def test_an_ecg_without_noise_between_its_beats_can_be_read():
    signal = np.zeros(60 * RATE)
    for peak in range(RATE, len(signal) - RATE, RATE):
        signal[peak - 10 : peak + 10] = np.hanning(20)
    assert read(np.round(signal, 2), RATE).unreadable == []


@pytest.mark.parametrize("size", [1, 14000.0])
def test_of_an_ecg_half_of_which_is_noise_the_other_half_is_read(size):
    signal = np.concatenate([size * coloured("white", 50), SIGNAL[: 50 * RATE]])
    found = read(signal, RATE)
    assert share(found.unreadable, len(signal)) == pytest.approx(0.5, abs=0.03)
    alone = PeakDetector(RATE).all(SIGNAL[: 50 * RATE]) + 50 * RATE
    assert set(alone[alone > 53 * RATE]) <= set(np.concatenate(found.runs))


def test_the_more_noise_the_more_is_in_doubt():
    doubts = []
    for size in (0.02, 0.35, 5.0):
        found = read(SIGNAL + size * coloured("white", 100), RATE)
        doubts.append((share(found.unreadable, len(SIGNAL)), share(found.doubtful, len(SIGNAL))))
    _, (_, some), (all_, _) = doubts
    assert doubts[0] == (0, 0)
    assert some > 0.2
    assert all_ > 0.9
    assert {s.reason for s in found.doubtful} <= {DOUBTFUL}


def test_kurtosis_is_that_of_known_distributions():
    rng = np.random.default_rng(0)
    assert kurtosis(rng.normal(size=100_000)) == pytest.approx(3, abs=0.1)
    assert kurtosis(rng.uniform(size=100_000)) == pytest.approx(1.8, abs=0.05)
    assert kurtosis(np.zeros(10)) == 0


def test_agreement_is_the_share_of_beats_that_both_found():
    one = np.array([100, 200, 300, 400])
    assert agreement(one, one + 5, 10) == 1
    assert agreement(one, one[:2], 10) == 0.5
    assert agreement(one, np.array([100, 250]), 10) == 1 / 5
    assert agreement(one, np.array([95, 105]), 10) == 1 / 5  # each beat once
    assert agreement(one, one[:0], 10) == 0
    assert agreement(one[:0], one[:0], 10) == 1


@pytest.mark.parametrize("seed", range(3))
def test_the_second_detector_finds_the_beats_too(seed):
    signal, peaks, _ = heart(seed=seed)
    found = second_detector(signal, RATE)
    assert agreement(found, peaks, 0.15 * RATE) > 0.95


def test_gaps_are_bridged():
    signal = np.arange(100.0)
    signal[50:53] = np.nan
    np.testing.assert_allclose(bridged(signal), np.arange(100.0))


def test_an_ecg_that_goes_on_is_noise_when_its_end_is():
    noise = coloured("pink", 10)
    assert not is_noise(SIGNAL, RATE)
    assert is_noise(np.concatenate([SIGNAL, noise]), RATE)
    assert not is_noise(np.concatenate([noise, SIGNAL]), RATE)
    assert not is_noise(noise[:RATE], RATE)  # too short to tell
