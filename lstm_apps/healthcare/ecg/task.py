"""`ecg`: is a heartbeat normal or ectopic? For research, not a medical device."""

import contextlib
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from lstm_apps.application import MODEL, RESEARCH_ONLY, Application, Data, Fold, Plot, Request
from lstm_apps.data import sources
from lstm_apps.data.splits import by_group
from lstm_apps.errors import InputError, unknown_name
from lstm_apps.features import Arrays, ModelFunction
from lstm_apps.healthcare.ecg import baselines
from lstm_apps.healthcare.ecg.augment import IRREGULAR, synthesize
from lstm_apps.healthcare.ecg.beat_table import MODEL_COLUMNS, WINDOW, beat_table, model_columns
from lstm_apps.healthcare.ecg.data import (
    DS1,
    DS2,
    LAYOUT,
    PACED,
    SAME_PATIENT,
    EcgRecord,
    leads,
    list_records,
    read_record,
)
from lstm_apps.healthcare.ecg.features import BEATS, BeatFeatures
from lstm_apps.healthcare.ecg.metrics import CLASSES, METRICS, NONE, SCORED, scores
from lstm_apps.healthcare.ecg.peaks import PeakDetector
from lstm_apps.metrics.bootstrap import Scores

if TYPE_CHECKING:
    import keras


Labels = list[np.ndarray]  # of each record (beats,)
MEMBERS = 3
CROP, STRIDE = 48, 6  # beats of an example, and from one to the next
# All choices here were made by leaving out each patient of the training part, not on the test part.
_RARE = 0.5  # exponent: a class weighs its inverse frequency to this power
_NOISE, _GAIN, _RHYTHM_NOISE, _UPSIDE_DOWN = 0.15, 0.15, 0.1, 0.2
_NEAR_S = 0.3  # share of the training examples that are chosen to contain an S beat
_DRAWS = 4000  # examples in which S beats are counted


@dataclass(frozen=True)
class Beats:
    """The beats of one lead of a record, or of a part of it."""

    patient: str
    table: np.ndarray  # (beats, columns), see `beat_table`
    labels: np.ndarray  # (beats,) AAMI classes
    source: EcgRecord
    synthetic: bool = False  # whether some beats were moved

    def __getitem__(self, part: slice) -> "Beats":
        return replace(self, table=self.table[part], labels=self.labels[part])

    @cached_property
    def detected(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of the whole record: the table of its detected beats (found, columns); their labels (found,), NONE
        of a false one; and the labels of missed beats (missed,)."""
        record = self.source
        peaks = PeakDetector(record.rate).all(record.signal)
        beats = record.match(peaks)[:-1]
        missed = np.setdiff1d(np.arange(len(record.labels)), record.match(peaks))
        labels = np.where(beats < 0, NONE, record.labels[beats])
        return beat_table(record.signal, record.rate, peaks), labels, record.labels[missed]


class Ecg(Application):
    """Classifies the beats of one lead, from each beat and those before it, in new patients."""

    name = "ecg"
    domain = "healthcare"
    model_module = "lstm_apps.healthcare.ecg.model"
    summary = "Classify heartbeats of an ECG, as a recording or a stream, after AAMI EC57"
    dataset = "mitdb"
    layout = LAYOUT
    roles = {}  # noqa: RUF012
    metrics = METRICS
    outputs = ("classes",)
    stream_outputs = ("classes",)
    baselines = baselines.NAMES
    disclaimer = RESEARCH_ONLY
    presets = {  # noqa: RUF012
        "quick": {"units": 32, "epochs": 4, "steps_per_epoch": 60, "dropout": 0.3, "learning_rate": 3e-3},
        "full": {
            "units": 32,
            "epochs": 12,
            "steps_per_epoch": 60,
            "batch_size": 32,
            "dropout": 0.3,
            "learning_rate": 3e-3,
            "weight_decay": 1e-2,
            "patience": 12,
        },
    }

    def load(self, request: Request) -> Data:
        self.columns(request, fold=True)
        found = sources.find(request.path or self.dataset)
        records, train_names, test_names, how = _split(found.path)
        if request.fold is not None:
            if request.fold not in train_names:
                raise unknown_name("patient of the training part", request.fold, train_names)
            test_names = [request.fold]
            train_names = [n for n in train_names if n != request.fold]
            if not train_names:
                raise InputError(f"Without {request.fold} there are no patients to learn from.")
            how = f"{request.fold} to test, the rest of the training part to train"
        # Each lead is a training record of its own; the test uses the first lead of each record.
        train = [b for n in train_names for path in records[n] for b in _leads(path, n)]
        train += [_synthetic(b) for b in train]
        test = [_beats(read_record(path), n) for n in test_names for path in records[n]]
        # Validation is the end of each training record: no test patient has a part in training.
        cut = [(b, len(b.labels) * 17 // 20) for b in train]
        learnt, validation = [b[:at] for b, at in cut], [b[at:] for b, at in cut if not b.synthetic]
        if max(len(b.labels) for b in validation) < CROP:
            raise InputError(
                f"No training record has the {CROP * 20 // 3} beats of which {CROP} at its end can validate."
            )
        if sum(count > 0 for label, count in _counts(_first(learnt)).items() if label in SCORED) < 2:
            raise InputError(f"There are beats of only one of {', '.join(SCORED)} to learn from.")
        return Data(
            learnt,
            validation,
            test,
            provenance={
                **found.provenance(),
                "split": f"{how}; the last 15 % of each training record to validate",
                "training_patients": " ".join(train_names),
                "test_patients": " ".join(test_names),
                "beats": {p: _counts(part) for p, part in (("train", _first(train)), ("test", test))},
                "synthetic": "training has each lead once more, with some normal beats moved forward as S, "
                "or in an irregular rhythm",
            },
        )

    def folds(self, request: Request) -> tuple[str, ...]:
        """The patients of the training part; each is left out once, and the test part is not used."""
        return tuple(_split(sources.find(request.path or self.dataset).path)[1])

    def fit_features(self, data: Data) -> BeatFeatures:
        return BeatFeatures.fit(CLASSES, [b.table for b in data.train], BeatExamples(data.train).log_odds())

    def examples(self, features: BeatFeatures, records: list[Beats]) -> "BeatExamples":
        return BeatExamples(records)

    def build(self, features: BeatFeatures, *, units: int, layers: int, dropout: float) -> "keras.Model":
        from lstm_apps.healthcare.ecg.model import beat_classifier

        return beat_classifier(
            columns=MODEL_COLUMNS,
            mean=features.mean,
            std=features.std,
            log_odds=features.log_odds,
            units=units,
            layers=layers,
            dropout=dropout,
            members=MEMBERS,
        )

    def loss(self, features: BeatFeatures) -> Any:
        import keras

        return {"member_logits": keras.losses.SparseCategoricalCrossentropy(from_logits=True)}

    def score(self, features: BeatFeatures, data: Data, run: ModelFunction) -> Scores:
        return _scores(data.test, *self._model_labels(features, data, run))

    def baseline_predictions(
        self, features: BeatFeatures, data: Data
    ) -> Iterator[tuple[str, tuple[Labels, Labels]]]:
        """Labels of the annotated and of the detected beats of each test record."""
        annotated, detected = _tables(data)
        # First leads only: on left-out training patients the others did not help.
        recorded = _first([*data.train, *data.validation])
        early = [_synthetic(b, 0.0)[: len(b.labels)] for b in _first(data.train)]
        parts, *synthetic = (
            [(b.patient, b.table, b.labels) for b in beats]
            for beats in (recorded, early, _first(data.train, True))
        )
        found = baselines.labels(parts, synthetic, [*annotated, *detected], SCORED)
        for name, labels in dict(found).items():
            yield name, (labels[: len(annotated)], labels[len(annotated) :])

    def score_baseline(
        self, features: BeatFeatures, data: Data, name: str, predictions: tuple[Labels, Labels]
    ) -> Scores:
        return _scores(data.test, *predictions)

    def score_folds(self, folds: Sequence[Fold]) -> Iterator[tuple[str, Scores]]:
        test = [b for fold in folds for b in fold.data.test]

        def pooled(parts: Iterable[tuple[Labels, Labels]]) -> Scores:
            annotated, detected = zip(*parts, strict=True)
            return _scores(
                test, [x for part in annotated for x in part], [x for part in detected for x in part]
            )

        yield MODEL, pooled(self._model_labels(f.features, f.data, f.run) for f in folds)
        for name in folds[0].baselines:
            yield name, pooled(fold.baselines[name] for fold in folds)

    def _model_labels(self, features: BeatFeatures, data: Data, run: ModelFunction) -> tuple[Labels, Labels]:
        """Predicted labels of the annotated and of the detected beats of each test record."""
        annotated, detected = (self._labels(features, tables, run) for tables in _tables(data))
        return annotated, detected

    def _labels(self, features: BeatFeatures, tables: list[np.ndarray], run: ModelFunction) -> Labels:
        """Predicted labels of the beats of each table."""
        names = np.array(features.classes)
        return [names[features.probabilities(run, t).argmax(axis=1)] for t in tables]

    def plots(self, features: BeatFeatures, data: Data, run: ModelFunction) -> list[Plot]:
        from lstm_apps.healthcare.ecg.plots import confusion_by_patient, strip

        found = self._labels(features, [b.table for b in data.test], run)
        return [
            confusion_by_patient(
                [b.patient for b in data.test], [b.labels for b in data.test], found, CLASSES
            ),
            strip([b.source for b in data.test], [b.labels for b in data.test], found),
        ]

    def parity_inputs(self, features: BeatFeatures, data: Data) -> Arrays:
        windows = np.zeros((len(data.test), BEATS, MODEL_COLUMNS), np.float32)
        for window, b in zip(windows, data.test, strict=True):
            part = model_columns(b.table[:BEATS])
            window[: len(part)] = part
        return {"beats": windows}

    def sample_input(self, features: BeatFeatures, data: Data) -> tuple[np.ndarray, float]:
        record = data.test[0].source
        return record.signal[: int(60 * record.rate)], record.rate


class BeatExamples:
    """Windows of `CROP` beats of one record, one every `STRIDE`. In training some are replaced by one with an
    S beat, and all are augmented: gain, noise, inverted polarity."""

    def __init__(self, records: list[Beats]):
        self.records = [b for b in records if len(b.labels) >= CROP]
        self._places = [(b, i) for b in self.records for i in range(0, len(b.labels) - CROP + 1, STRIDE)]
        self._near_s = [(b, int(i)) for b in self.records for i in np.flatnonzero(b.labels == "S")]
        count = _of_classes(self.records)
        rare = (count.sum() / count) ** _RARE
        self._weights = dict(zip(CLASSES, rare / (rare * count).sum() * count.sum(), strict=True))

    def __len__(self) -> int:
        return len(self._places)

    def batch(self, indices: np.ndarray, rng: np.random.Generator | None) -> tuple[Arrays, Arrays, Arrays]:
        """Beats (batch, time, columns), and classes and weights (batch, time, members)."""
        parts = [self._part(i, rng) for i in indices]
        beats = model_columns(np.stack([b.table for b in parts]))
        labels = np.stack([b.labels for b in parts])
        targets = np.array([CLASSES.index(x) if x in CLASSES else 0 for x in labels.ravel()], np.int32)
        # Q has weight 0.
        weights = np.array([self._weights.get(x, 0.0) for x in labels.ravel()], np.float32)
        shape = (*labels.shape, 1)
        return (
            {"beats": beats if rng is None else np.stack([_augmented(b, rng) for b in beats])},
            {"member_logits": targets.reshape(shape).repeat(MEMBERS, axis=2)},
            {"member_logits": weights.reshape(shape).repeat(MEMBERS, axis=2)},
        )

    def log_odds(self) -> tuple[float, ...]:
        """(classes,) corrections of the learnt log odds. Training shows S beats more often than recordings
        do, because of synthetic beats and of examples chosen for them."""
        rng = np.random.default_rng(0)
        learnt = _of_classes([self._part(int(rng.integers(len(self))), rng) for _ in range(_DRAWS)])
        learnt = learnt * [self._weights[c] for c in CLASSES]
        recorded = _of_classes([b for b in self.records if not b.synthetic]) ** (1 - _RARE)
        n, s = CLASSES.index("N"), CLASSES.index("S")
        found = np.zeros(len(CLASSES))
        if self._near_s:
            found[s] = np.log(recorded[s] / recorded[n] / (learnt[s] / learnt[n]))
        return tuple(found.tolist())

    def _part(self, i: int, rng: np.random.Generator | None) -> Beats:
        beats, begin = self._places[i]
        if rng is not None and self._near_s and rng.random() < _NEAR_S:
            beats, at = self._near_s[rng.integers(len(self._near_s))]
            begin = int(np.clip(at - rng.integers(CROP), 0, len(beats.labels) - CROP))
        return beats[begin : begin + CROP]


def _split(folder: Path) -> tuple[dict[str, list[Path]], list[str], list[str], str]:
    """The records of each patient, the training patients, the test patients, and the rule of the split."""
    records = list_records(folder)
    train, test = ([n for n in names if n in records] for names in (DS1, DS2))
    if train and test and {*records} <= {*DS1, *DS2, *PACED}:
        twice = [n for n in train if SAME_PATIENT.get(n) in test]
        how = "between patients, de Chazal et al. 2004: DS1 to train, DS2 to test"
        how += "".join(f"; {n} left out, the patient of {SAME_PATIENT[n]}" for n in twice)
        return records, [n for n in train if n not in twice], test, how
    train, more, test = by_group(list(records), str)
    return records, train + more, test, "by patient"


def _scores(test: list[Beats], found: Labels, in_signal: Labels) -> Scores:
    """Metrics of predicted labels of annotated (`found`) and of detected (`in_signal`) beats."""
    annotated = [(b.labels, labels) for b, labels in zip(test, found, strict=True)]
    detected = [
        (np.concatenate([true, missed]), np.concatenate([labels, np.full(len(missed), NONE)]))
        for (_, true, missed), labels in zip((b.detected for b in test), in_signal, strict=True)
    ]
    return scores([b.patient for b in test], annotated, detected)


def _augmented(beats: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Beats (beats, MODEL_COLUMNS) with a random gain, polarity and noise."""
    shape, rhythm = beats[:, :WINDOW], beats[:, WINDOW:]
    shape = shape * np.exp(rng.normal(0, _GAIN)) * (-1 if rng.random() < _UPSIDE_DOWN else 1)
    shape = shape + rng.normal(0, _NOISE * rng.random(), shape.shape)
    rhythm = rhythm + rng.normal(0, _RHYTHM_NOISE, rhythm.shape)
    return np.concatenate([shape, rhythm], axis=1).astype(np.float32)


def _leads(path: Path, patient: str) -> list[Beats]:
    """The beats of each lead of a record; leads after the first that are off or flat are left out."""
    found = [_beats(read_record(path), patient)]
    for lead in range(1, len(leads(path))):
        with contextlib.suppress(InputError), warnings.catch_warnings(action="ignore"):
            found.append(_beats(read_record(path, lead), patient))
    return found


def _first(parts: list[Beats], synthetic: bool = False) -> list[Beats]:
    """First leads, recorded or synthetic."""
    return [b for b in parts if b.source.lead == 0 and b.synthetic == synthetic]


def _synthetic(beats: Beats, irregular: float = IRREGULAR) -> Beats:
    """The synthetic version of a whole record; it is the same each time."""
    seed = crc32(beats.source.name.encode()), beats.source.lead
    changed = _beats(synthesize(beats.source, np.random.default_rng(seed), irregular), beats.patient)
    return replace(changed, source=beats.source, synthetic=True)  # its signal is not needed any more


def _beats(record: EcgRecord, patient: str) -> Beats:
    table = beat_table(record.signal, record.rate, record.peaks)
    return Beats(patient, table, record.labels[:-1], record)


def _of_classes(parts: list[Beats]) -> np.ndarray:
    """(classes,) number of beats of each class, at least one."""
    count = _counts(parts)
    return np.array([max(1.0, count[c]) for c in CLASSES])


def _counts(part: list[Beats]) -> dict[str, int]:
    labels = np.concatenate([b.labels for b in part])
    return {c: int((labels == c).sum()) for c in (*CLASSES, "Q")}


def _tables(data: Data) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Tables of the test records: of annotated beats, and of detected ones."""
    return [b.table for b in data.test], [b.detected[0] for b in data.test]


ECG = Ecg()
