"""What is counted as a mistake when beats are found in the bare signal."""

from dataclasses import replace

import numpy as np
import pytest

from lstm_apps.application import Request
from lstm_apps.data.sources import synthetic_hearts as hearts
from lstm_apps.data.sources.synthetic_hearts import RATE, heart
from lstm_apps.errors import InputError
from lstm_apps.healthcare.ecg import baselines as ecg_baselines
from lstm_apps.healthcare.ecg import task as ecg
from lstm_apps.healthcare.ecg.beat_table import WINDOW, beat_table, model_columns
from lstm_apps.healthcare.ecg.data import EcgRecord
from lstm_apps.healthcare.ecg.metrics import FROM_SIGNAL, NONE
from lstm_apps.healthcare.ecg.task import ECG, Beats, _scores


def beats(signal, peaks, kinds):
    record = EcgRecord("x", 0, signal, RATE, peaks, kinds)
    return Beats("x", beat_table(signal, RATE, peaks), kinds[:-1], record)


def from_signal(part):
    _, labels, _ = part.detected
    called = np.where(labels == NONE, "V", labels)  # all right, but for what is no beat
    return _scores([part], [part.labels], [called])[FROM_SIGNAL.name].value


def test_missed_and_invented_beats_are_mistakes():
    signal, peaks, kinds = heart(200, seed=3)
    assert from_signal(beats(signal, peaks, kinds)) == pytest.approx(1, abs=0.02)
    without_v = signal.copy()
    for peak in peaks[kinds == "V"]:
        without_v[peak - 40 : peak + 100] = without_v[peak - 40]
    assert from_signal(beats(without_v, peaks, kinds)) < 0.75  # they are missed
    known = (kinds != "N") | (np.arange(len(kinds)) % 3 > 0)
    assert from_signal(beats(signal, peaks[known], kinds[known])) < 0.9  # a third of N are invented V


def test_a_lead_that_came_off_is_a_record_without_beats():
    signal, peaks, kinds = heart(200, seed=3)
    flat = beats(np.zeros(len(signal)), peaks, kinds)
    table, labels, missed = flat.detected
    assert len(table) == len(labels) == 0
    assert len(missed) == len(peaks)
    whole = beats(signal, peaks, kinds)
    parts = [("a", whole.table, whole.labels), ("b", whole.table, whole.labels)]
    for _, found in ecg_baselines.labels(parts, [parts], [whole.table, table], ("N", "S", "V")):
        assert [len(f) for f in found] == [len(whole.table), 0]


def test_what_is_read_is_the_same_for_another_shape_of_all_beats():
    """A patient whose every beat is conducted otherwise differs in what is not read."""
    signal, peaks, kinds = heart(200, seed=3)
    other = np.convolve(signal, [1, *[0.0] * 8, -0.6], mode="full")[: len(signal)]
    one, two = (beat_table(s, RATE, peaks) for s in (signal, other))
    normal = kinds[:-1] == "N"
    apart = [
        np.abs(part(one) - part(two))[normal].mean() for part in (lambda t: t[:, :WINDOW], model_columns)
    ]
    assert apart[1] < 0.6 * apart[0]


def test_other_leads_serve_for_training_only(tmp_path):
    import wfdb

    for name in ("a", "b", "c", "d"):
        signal, peaks, kinds = heart(330, seed=ord(name))
        other = -0.5 * signal if name != "b" else np.zeros(len(signal))
        channels = np.stack([80 + signal, signal, other], axis=1)  # what is no lead comes first
        wfdb.wrsamp(
            name, RATE, ["mmHg", "mV", "mV"], ["ABP", "I", "V1"], channels, fmt=["16"] * 3,
            write_dir=str(tmp_path), adc_gain=[200.0] * 3, baseline=[0] * 3,
        )  # fmt: skip
        wfdb.wrann(name, "atr", peaks, list(kinds), write_dir=str(tmp_path))
    data = ECG.load(Request(path=tmp_path))
    assert [b.source.lead for b in data.test] == [0] * len(data.test)
    assert abs(np.median(data.test[0].source.signal)) < 1  # of the ECG, in mV
    leads = {}
    for b in (b for b in data.train if not b.synthetic):
        leads.setdefault(b.patient, []).append(b.source.lead)
    assert all(found == ([0] if name == "b" else [0, 1]) for name, found in leads.items())  # b's is flat
    assert not {b.patient for b in data.test} & set(leads)
    assert sum(data.provenance["beats"]["train"].values()) == 329 * len(leads)  # each beat once


def test_baselines_of_one_patient_are_not_tuned():
    recorded = np.array(["a"] * 4), np.zeros((4, 2)), np.array(list("NNVV"))
    grid = [("first", None), ("second", recorded)]
    assert ecg_baselines._best(grid, recorded) == ("first", None, 0.0)


class Remembering:
    """A classifier that knows beats by their first column, and calls others N."""

    def fit(self, table, known):
        self.known = dict(zip(table[:, 0], known, strict=True))
        return self

    classes_ = np.array(list("NS"))

    def predict_proba(self, table):
        called = np.array([self.known.get(x, "N") for x in table[:, 0]])
        return 0.9 * (called[:, None] == self.classes_) + 0.05


def test_baselines_use_synthetic_beats_where_they_help_and_never_of_the_left_out_patient():
    patient, known = np.array(list("aabbcc")), np.array(list("NSNSNS"))
    table = np.arange(6.0)[:, None]
    recorded = patient, table, known
    own = patient, table, known  # each patient's own: known to no fold that asks him
    others = np.roll(patient, 2), table, known  # the same beats as another patient's
    grid = [(Remembering(), synthetic) for synthetic in (None, own, others)]
    assert ecg_baselines._best(grid[:2], recorded)[:2] == grid[0]
    assert ecg_baselines._best(grid, recorded)[:2] == grid[2]


def test_the_odds_of_s_are_put_right_for_a_baseline_where_that_helps():
    class Eager:
        """Calls S what it gives one chance in two to be S."""

        classes_ = np.array(list("NS"))

        def fit(self, table, known):
            return self

        def predict_proba(self, table):
            return np.stack([1 - table[:, 0], table[:, 0]], axis=1)

    recorded = np.array(list("aaaabbbb")), np.array([[0.1, 0.6, 0.6, 0.95] * 2]).T, np.array(list("NNNS" * 2))
    model, _, odds = ecg_baselines._best([(Eager(), None)], recorded)
    assert odds == -1
    as_learnt, put_right = ecg_baselines._predicted(model, recorded[1], [0.0, odds])
    assert list(as_learnt) == list("NSSS" * 2)
    assert list(put_right) == list("NNNS" * 2)


def test_the_forest_that_answers_is_larger_than_those_it_was_tuned_with(monkeypatch):
    from sklearn.ensemble import RandomForestClassifier

    fitted, fit = [], RandomForestClassifier.fit
    monkeypatch.setattr(
        RandomForestClassifier,
        "fit",
        lambda self, *given: fitted.append((self.n_estimators, self.max_samples)) or fit(self, *given),
    )
    table = np.random.default_rng(0).normal(size=(60, 3))
    parts = [(name, table, np.array(list("NSV") * 20)) for name in "ab"]
    list(ecg_baselines.labels(parts, [], [table], ("N", "S", "V")))
    assert fitted[-1] == (100, None)  # None: of as many beats as there are
    assert set(fitted[:-1]) == {(30, 0.2)}


def test_the_odds_of_s_are_those_of_its_rarity_in_recordings():
    """A beat in 100 is S in recordings, one in 20 in synthetic records."""
    signal, peaks, _ = heart(2000, seed=3)
    kinds = np.full(len(peaks), "N")
    kinds[::100] = "S"
    recorded = beats(signal, peaks, kinds)
    kinds = kinds.copy()
    kinds[::20] = "S"
    examples = ecg.BeatExamples([recorded, replace(recorded, labels=kinds[:-1], synthetic=True)])
    odds = examples.log_odds()
    assert odds[0] == odds[2] == odds[3] == 0
    # What is learnt: as often as S is drawn, near S or not, times its weight.
    rng, drawn = np.random.default_rng(1), {"N": 0, "S": 0}
    for _ in range(2000):
        labels = examples._part(int(rng.integers(len(examples))), rng).labels
        drawn = {c: n + (labels == c).sum() for c, n in drawn.items()}
    learnt = drawn["S"] * examples._weights["S"] / (drawn["N"] * examples._weights["N"])
    assert learnt * np.exp(odds[1]) == pytest.approx(np.sqrt(1 / 99), rel=0.1)
    assert odds[1] < -0.5
    never = ecg.BeatExamples([replace(recorded, labels=np.full(len(recorded.labels), "N"))])
    assert never.log_odds() == (0, 0, 0, 0)


def test_beats_that_are_all_alike_are_that_to_a_baseline():
    table = np.random.default_rng(0).normal(size=(40, 3))
    parts = [("a", table, np.array(["N"] * 40)), ("b", table, np.array(list("NV") * 20))]
    for _, (found,) in ecg_baselines.labels(parts, [], [table], ("N", "S", "V")):
        assert len(found) == 40


def test_records_that_only_look_like_mit_bih_are_all_used(tmp_path):
    names = ("101", "103", "150", "151")
    hearts.write_records(tmp_path, records=4, beats=20)
    for file in list(tmp_path.iterdir()):
        number = int("".join(c for c in file.stem if c.isdigit())) % 4
        file.rename(file.with_name(names[number] + file.suffix))
    _, train, test, how = ecg._split(tmp_path)
    assert {*train, *test} == {*names}
    assert how == "by patient"


def test_nobody_of_the_test_part_is_learnt_from_under_another_number(tmp_path):
    for name in ("101", "201", "202", "102"):
        for ending in (".hea", ".atr"):
            (tmp_path / name).with_suffix(ending).touch()
    _, train, test, how = ecg._split(tmp_path)
    assert (train, test) == (["101"], ["202"])
    assert "201 left out, the patient of 202" in how


def test_records_that_cannot_be_learnt_from_are_refused_before_training(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="320 beats"):
        ECG.load(Request(str(hearts.write_records(tmp_path / "short", records=3, beats=100))))
    monkeypatch.setattr(hearts, "heart", lambda beats, seed, ectopic: heart(beats, seed, ectopic=0.0))
    with pytest.raises(InputError, match="only one of N, S, V"):
        ECG.load(Request(str(hearts.write_records(tmp_path / "healthy", records=3, beats=340))))


def test_a_fold_leaves_somebody_to_learn_from(tmp_path, monkeypatch):
    folder = hearts.write_records(tmp_path, records=3, beats=60)
    names = sorted(p.stem for p in folder.glob("*.hea"))
    monkeypatch.setattr(ecg, "DS1", names[:1])
    monkeypatch.setattr(ecg, "DS2", names[1:])
    with pytest.raises(InputError, match="no patients to learn from"):
        ECG.load(Request(str(folder), fold=names[0]))
