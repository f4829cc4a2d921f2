"""R peaks where they are, whatever the chunks and the rate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_apps.data.sources.synthetic_hearts import RATE, heart
from lstm_apps.healthcare.ecg.peaks import PeakDetector

SIGNAL, PEAKS, _ = heart()


def found_and_right(found, peaks, rate):
    near = np.abs(found[:, None] - peaks[None]).min(axis=0) <= 0.06 * rate
    return len(found), int(near.sum())


@pytest.mark.parametrize("seed", range(4))
def test_all_beats_of_a_heart_are_found(seed):
    signal, peaks, _ = heart(seed=seed)
    count, right = found_and_right(PeakDetector(RATE).all(signal), peaks, RATE)
    assert right >= len(peaks) - 1
    assert count <= len(peaks) + 1


@pytest.mark.parametrize("rate", [125, 360, 1000])
def test_the_rate_does_not_matter(rate):
    time = np.arange(0, len(SIGNAL) / RATE, 1 / rate)
    signal = np.interp(time, np.arange(len(SIGNAL)) / RATE, SIGNAL)
    count, right = found_and_right(PeakDetector(rate).all(signal), PEAKS * rate / RATE, rate)
    assert right >= len(PEAKS) - 1
    assert count <= len(PEAKS) + 1


@pytest.mark.parametrize("scale", [1e-3, 200.0])
def test_the_unit_does_not_matter(scale):
    np.testing.assert_array_equal(PeakDetector(RATE).all(scale * SIGNAL), PeakDetector(RATE).all(SIGNAL))


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, len(SIGNAL)), max_size=30))
def test_pieces_give_the_peaks_of_the_whole(cuts):
    whole = PeakDetector(RATE).push(SIGNAL)
    detector = PeakDetector(RATE)
    chunks = np.split(SIGNAL, sorted(cuts))
    assert [p for chunk in chunks for p in detector.push(chunk)] == whole


def test_a_flat_line_has_no_beats():
    assert len(PeakDetector(RATE).all(np.full(20 * RATE, 0.3))) == 0
