"""What is known of a beat: its own heart is the measure, and only the next interval looks ahead."""

import json
from dataclasses import replace

import numpy as np
import pytest

from lstm_apps.data.sources.synthetic_hearts import RATE, heart
from lstm_apps.errors import InputError
from lstm_apps.features import from_json, to_json
from lstm_apps.healthcare.ecg.beat_table import (
    MODEL_COLUMNS,
    RHYTHM,
    WINDOW,
    BeatWindow,
    beat_table,
    model_columns,
    reference_beat,
)
from lstm_apps.healthcare.ecg.features import BEATS, UNREADABLE, WARM_UP, BeatFeatures
from lstm_apps.healthcare.ecg.files import read_ecg
from lstm_apps.healthcare.ecg.peaks import PeakDetector

SIGNAL, PEAKS, KINDS = heart(beats=300)
TABLE = beat_table(SIGNAL, RATE, PEAKS)


def test_unit_and_offset_do_not_matter():
    assert TABLE.shape == (299, 2 * WINDOW + RHYTHM)
    np.testing.assert_allclose(beat_table(1000 * SIGNAL + 50, RATE, PEAKS), TABLE, atol=1e-3)


def test_the_rate_hardly_matters():
    time = np.arange(0, len(SIGNAL) / RATE, 1 / 500)
    finer = np.interp(time, np.arange(len(SIGNAL)) / RATE, SIGNAL)
    other = beat_table(finer, 500, 2 * PEAKS)
    assert np.abs(other - TABLE).mean() < 0.02


def test_a_beat_knows_nothing_after_the_next_one():
    cut = 100
    changed = SIGNAL.copy()
    changed[PEAKS[cut + 1] + int(0.7 * RATE) :] = 3.0
    moved = PEAKS.copy()
    moved[cut + 2 :] += 40
    np.testing.assert_array_equal(beat_table(changed, RATE, moved)[: cut + 1], TABLE[: cut + 1])


def test_early_and_strange_beats_stand_out():
    before = TABLE[:, 2 * WINDOW]
    unlike = TABLE[:, 2 * WINDOW + 8]
    kinds = KINDS[:-1]
    assert before[kinds == "S"][5:].mean() < -0.5 < before[kinds == "N"].mean()
    assert unlike[kinds == "V"].mean() > 1 > unlike[kinds == "N"].mean()


def test_what_is_read_of_a_rhythm_is_the_same_in_a_slower_heart():
    slower = beat_table(SIGNAL, 0.8 * RATE, PEAKS)  # each interval a quarter longer
    own = 2 * WINDOW + 5  # the usual interval
    assert np.median(slower[:, own] - TABLE[:, own]) > 0.1
    ratios, same = model_columns(slower)[:, WINDOW : WINDOW + 5], model_columns(TABLE)[:, WINDOW : WINDOW + 5]
    np.testing.assert_allclose(ratios, same, atol=1e-5)
    assert model_columns(TABLE).shape == (299, MODEL_COLUMNS)
    for column in (*range(WINDOW), own, own + 1):
        assert not (model_columns(TABLE) == TABLE[:, column, None]).all(axis=0).any()


def test_the_reference_beat_is_the_median_of_the_least_premature_ones():
    # Every second beat is ectopic: it comes early, and a pause follows.
    intervals = np.tile([0.6, 1.2], 30)  # from a normal beat, from an ectopic one
    values = np.tile([1.0, 9.0], 30)
    found = reference_beat(values, intervals, 8)
    assert (found[3:] == 1).all()
    in_columns = reference_beat(np.stack([values, -values], axis=1), intervals, 8)
    np.testing.assert_array_equal(in_columns, np.stack([found, -found], axis=1))
    steady = reference_beat(np.arange(60.0), np.full(60, 0.8), 8)
    assert steady[0] == 0
    assert ((steady[1:] >= np.maximum(0, np.arange(1, 60) - 8)) & (steady[1:] < np.arange(1, 60))).all()


def test_in_bigeminy_normal_beats_match_the_reference_and_ectopic_ones_do_not():
    """Half of the beats are ectopic, and the median of all is neither."""
    normal, ectopic = (SIGNAL[p - 100 : p + 150] for p in (PEAKS[KINDS == "N"][50], PEAKS[KINDS == "V"][1]))
    two = np.concatenate([normal, ectopic[40:], np.full(40, ectopic[-1])])  # it comes early, then a pause
    signal, peaks = np.tile(two, 60), (500 * np.arange(60)[:, None] + [100, 310]).ravel()
    unlike = beat_table(signal, RATE, peaks)[40:, 2 * WINDOW + 8]
    assert unlike[::2].max() < 0.05 < 0.5 < unlike[1::2].min()


def test_how_long_a_pause_is_does_not_matter():
    """The neighbours of a beat that was not found are as those of two that were not."""
    normal = np.arange(60) * 250 + 100
    signal = np.tile(SIGNAL[PEAKS[KINDS == "N"][50] + np.arange(-100, 150)], 60)
    one, two = (beat_table(signal, RATE, np.delete(normal, lost)) for lost in ([41], [41, 42]))
    np.testing.assert_allclose(two[40], one[40], atol=1e-5)  # before the pause
    ratios = slice(2 * WINDOW, 2 * WINDOW + 5)
    np.testing.assert_array_equal(two[41, ratios], one[41, ratios])  # after it
    assert one[41, 2 * WINDOW] == pytest.approx(0.7)  # it comes late


def features():
    return BeatFeatures.fit(("N", "S", "V", "F"), [TABLE])


def rhythm(intervals):
    """(beats, RHYTHM) of a heart of one shape, once its rhythm is known."""
    return beat_table(*rhythm_of(intervals))[40:, 2 * WINDOW :]


def rhythm_of(intervals):
    """Signal, rate and peaks."""
    peaks = np.cumsum([100, *np.rint(np.array(intervals) * RATE).astype(int)])
    signal = np.zeros(peaks[-1] + 100)
    signal[peaks] = 1.0
    return signal, RATE, peaks


def unsteadiness(intervals):
    return rhythm(intervals)[:, 7]


def test_only_a_rhythm_that_does_not_repeat_itself_is_unsteady():
    rng = np.random.default_rng(0)
    for steady in ([0.8], [0.6, 1.0], [0.6, 1.0, 0.8]):  # of its own; ectopic every second, every third beat
        assert unsteadiness(np.tile(steady, 90)).max() == 0
    sinus = np.exp(rng.normal(0, 0.03, 200))
    premature = sinus.copy()
    premature[::8] *= 0.7
    fibrillating = np.exp(rng.normal(0, 0.22, 200))
    assert unsteadiness(premature).max() < 1 < 1.2 < unsteadiness(fibrillating).min()


def test_an_interval_is_relative_to_the_median_and_to_the_long_one():
    steady = rhythm([0.8] * 80)
    np.testing.assert_allclose(steady[:, [0, 2]], 0, atol=1e-6)
    with_pauses = rhythm(([0.8] * 7 + [1.0]) * 12)[1:]
    late = with_pauses[:, 0] > 0.1
    np.testing.assert_allclose(with_pauses[late][:, 0], 2 * np.log(1.0 / 0.8), rtol=1e-3)
    np.testing.assert_allclose(with_pauses[late][:, 2], 0, atol=1e-3)
    np.testing.assert_allclose(with_pauses[~late][:, 2], 2 * np.log(0.8 / 1.0), rtol=1e-3)


def test_json_round_trip():
    assert from_json(json.loads(json.dumps(to_json(features())))) == features()


def test_what_another_version_made_is_refused():
    kept = to_json(features())
    with pytest.raises(InputError, match="another version made it"):
        from_json({**kept, "mean": kept["mean"][1:]})


@pytest.mark.parametrize("count", [1, WARM_UP, BEATS, BEATS + 1, 299])
def test_windows_cover_every_beat_once(count):
    def run(inputs):
        marked = inputs["beats"][:, :, :1]
        return {"classes": np.concatenate([marked, 1 - marked], axis=-1)}

    table = np.zeros((count, 2 * WINDOW + RHYTHM), np.float32)
    table[:, WINDOW] = np.arange(count)  # the first column that is model_columns
    np.testing.assert_array_equal(features().probabilities(run, table)[:, 0], np.arange(count))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("none", "no WFDB record"),
        (((1, 2), 250, 3), "An ECG is"),
        (np.zeros(100), "pair"),
        ((np.zeros((10, 2)), 250), "shape"),
        ((np.zeros(0), 250), "shape"),
        ((np.zeros(100), 3), "rate"),
    ],
)
def test_what_is_no_ecg_is_refused(raw, message):
    with pytest.raises(InputError, match=message):
        read_ecg(raw)


def all_normal(inputs):
    return {"classes": np.tile([0.7, 0.1, 0.1, 0.1], (*inputs["beats"].shape[:2], 1))}


def noise(seconds, seed=0):
    return 5 * np.random.default_rng(seed).normal(size=seconds * RATE)


@pytest.mark.parametrize(
    ("signal", "message"),
    [
        (np.zeros(20 * RATE), "None of the 20.0 s of ECG can be read: 20.0 s flat line"),
        (np.full(20 * RATE, np.nan), "None of the 20.0 s of ECG can be read: 20.0 s lead off"),
        (noise(60), "None of the 60.0 s of ECG can be read: .* noise: no QRS complexes stand out"),
        (SIGNAL[: 2 * RATE], "2.0 s of ECG are too short"),
        (
            np.concatenate([SIGNAL[: 2 * RATE], np.full(9 * RATE, np.nan)]),
            r"heartbeats \(9.0 s lead off cannot",
        ),
    ],
)
def test_an_ecg_that_cannot_be_read_has_no_labels(signal, message):
    with pytest.raises(InputError, match=message):
        features().predict(all_normal, (signal, RATE))


def test_of_a_good_ecg_each_beat_but_the_last_is_labelled():
    answer = features().predict(all_normal, (SIGNAL, RATE))
    peaks = PeakDetector(RATE).all(SIGNAL)
    np.testing.assert_array_equal(answer["time"], peaks[:-1] / RATE)
    assert set(answer["label"]) == {"N"}
    assert set(answer["note"]) == {""}
    assert np.isnan(answer["end"]).all()


def test_unreadable_segments_are_labelled_so():
    begin, end = 60 * RATE, 80 * RATE
    whole = features().predict(all_normal, (SIGNAL, RATE))["time"]
    for bad, reason in (
        (np.full(20 * RATE, np.nan), "lead off"),
        (noise(20), "noise"),
        (np.full(20 * RATE, 0.1), "flat line"),
        (np.full(20 * RATE, 5.0), "saturated"),
    ):
        signal = np.concatenate([SIGNAL[:begin], bad, SIGNAL[end:]])
        with pytest.warns(UserWarning, match=rf"cannot be read: [\d.]+ s {reason}"):
            answer = features().predict(all_normal, (signal, RATE))
        assert (np.diff(answer["time"]) >= 0).all()
        (row,) = np.flatnonzero(answer["label"] == UNREADABLE)
        assert answer["note"][row].startswith(reason)
        assert answer["time"][row] == pytest.approx(60, abs=2.1)
        assert answer["end"][row] == pytest.approx(80, abs=2.1)
        assert np.isnan(answer["probability"][row])
        labelled = np.delete(answer["time"], row)
        assert not ((labelled > 60.1) & (labelled < 79.9)).any()
        clear = [t for t in whole if not 56 < t < 83]
        assert set(clear) <= set(labelled)  # what is far from it is as ever


def test_the_last_beat_before_an_unreadable_segment_is_left_out():
    """Nothing is known of the interval after it."""
    signal = SIGNAL.copy()
    signal[60 * RATE : 80 * RATE] = np.nan
    peaks = PeakDetector(RATE).all(SIGNAL) / RATE
    with pytest.warns(UserWarning, match="lead off"):
        times = features().predict(all_normal, (signal, RATE))["time"]
    before = peaks[peaks < 60]
    assert before[-2] in times
    assert before[-1] not in times


def test_beats_that_two_detectors_do_not_agree_on_are_noted():
    signal = SIGNAL.copy()
    signal[50 * RATE : 110 * RATE] += 0.06 * noise(60)
    with pytest.warns(UserWarning, match="a second QRS detector finds other beats"):
        answer = features().predict(all_normal, (signal, RATE))
    noted = answer["time"][[n.startswith("doubtful") for n in answer["note"]]]
    assert len(noted) > 10
    assert 39 < noted.min() < noted.max() < 121


def test_a_lead_that_comes_off_for_a_moment_is_bridged():
    signal = SIGNAL.copy()
    signal[PEAKS[20] + 80 : PEAKS[20] + 100] = np.nan
    answer = features().predict(all_normal, (signal, RATE))
    np.testing.assert_array_equal(answer["time"], features().predict(all_normal, (SIGNAL, RATE))["time"])


@pytest.mark.parametrize("window", [BeatWindow(), BeatWindow(before=0.2, points=50)])
def test_each_number_that_is_read_of_a_beat_has_a_name_and_a_unit(window):
    table = beat_table(SIGNAL, RATE, PEAKS, window)
    named = replace(BeatFeatures.fit(("N", "S"), [table]), window=window).about()["columns"]
    assert len(named) == model_columns(table).shape[1]
    assert len({c["name"] for c in named}) == len(named)
    assert all(c["name"] and c["unit"] for c in named)
    if window == BeatWindow():
        assert len(named) == MODEL_COLUMNS == 55


def test_the_names_of_what_is_read_of_a_beat_are_right():
    """A beat that comes late after steady ones."""
    columns = features().about()["columns"]
    at = {c["name"]: i for i, c in enumerate(columns)}
    late = dict(zip(at, model_columns(beat_table(*rhythm_of([0.8] * 60 + [1.0, 0.8, 0.8])))[61], strict=True))
    assert late["2 ln(interval before / median of the last 32 intervals)"] == pytest.approx(
        2 * np.log(1.25), rel=0.01
    )
    assert late["2 ln(interval before / interval after)"] == pytest.approx(2 * np.log(1.25), rel=0.01)
    assert late["2 ln(interval after / median of the last 32 intervals)"] == pytest.approx(0, abs=0.01)
    middle = at["shape - shape of reference beat, +0.0012 s from the R peak"]
    assert np.abs(np.array([c["name"].split()[-6] for c in columns[:46]], float)).argmin() == middle


class Same:
    """A model that calls all beats N, and what it read."""

    def __init__(self):
        self.read = []

    def reset(self):
        pass

    def push(self, inputs):
        self.read.append(inputs["beats"][0, 0])
        return {"classes": np.array([[[1.0, 0.0, 0.0, 0.0]]])}


def of_stream(chunks, model=None):
    """Times of the beats of a stream."""
    stream = features().stream(model or Same())
    return [beat["time"] for chunk in chunks for beat in stream.push((chunk, RATE))]


def test_a_stream_reads_of_each_beat_what_is_read_of_the_whole():
    model = Same()
    of_stream(np.array_split(SIGNAL, 97), model)
    peaks = PeakDetector(RATE).all(SIGNAL)
    whole = model_columns(beat_table(SIGNAL, RATE, peaks))
    assert len(model.read) > 250
    np.testing.assert_allclose(model.read, whole[: len(model.read)], atol=1e-3)


def test_while_the_lead_is_off_the_time_goes_on():
    chunks = np.array_split(SIGNAL, 40)
    off = [np.full(len(p), np.nan) if i in (12, 13) else p for i, p in enumerate(chunks)]
    whole, gap = of_stream(chunks), of_stream(off)
    after = sum(map(len, chunks[:16])) / RATE  # the first beats after the gap may be taken otherwise
    assert [t for t in gap if t > after] == [t for t in whole if t > after]


def test_a_stream_has_no_labels_for_noise():
    signal = np.concatenate([SIGNAL[: 60 * RATE], noise(30), SIGNAL[60 * RATE : 100 * RATE]])
    stream = features().stream(Same())
    found = [b for chunk in np.array_split(signal, 130) for b in stream.push((chunk, RATE))]
    labels = {b["label"] for b in found if 65 < b["time"] < 88}
    assert labels == {UNREADABLE}
    assert {b["label"] for b in found if not 58 < b["time"] < 98} == {"N"}
    assert all(np.isnan(b["probability"]) for b in found if b["label"] == UNREADABLE)


def test_a_beat_is_labelled_soon_after_the_next():
    chunks = np.array_split(SIGNAL, len(SIGNAL) // (RATE // 10))
    for count in range(200, len(chunks), 200):
        now = sum(map(len, chunks[:count])) / RATE
        over = (now - 0.6 > PEAKS / RATE).sum()
        assert len(of_stream(chunks[:count])) >= over - 1  # all but the last of them


def test_another_window_is_read_from_the_file():
    other = BeatFeatures.fit(("N", "S"), [beat_table(SIGNAL, RATE, PEAKS, BeatWindow(before=0.2, points=50))])
    other = replace(other, window=BeatWindow(before=0.2, points=50))
    read = from_json(json.loads(json.dumps(to_json(other))))
    widths = []

    def run(inputs):
        widths.append(inputs["beats"].shape[-1])
        return {"classes": np.ones((*inputs["beats"].shape[:2], 2)) / 2}

    read.predict(run, (SIGNAL, RATE))
    assert widths == [len(other.mean)]
    assert widths[0] != MODEL_COLUMNS


def test_after_minutes_without_the_lead_beats_are_labelled_again():
    chunks = np.array_split(SIGNAL, 40)
    off = [np.full(RATE, np.nan)] * 150
    before, after = sum(map(len, chunks[:20])) / RATE, sum(map(len, chunks[:20])) / RATE + 150
    told = of_stream([*chunks[:20], *off, *chunks[20:]])
    whole = of_stream(chunks)
    assert [t for t in told if t < before - 1] == [t for t in whole if t < before - 1]
    assert [t - 150 for t in told if t > after + 10] == pytest.approx([t for t in whole if t > before + 10])
