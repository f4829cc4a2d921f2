"""`speech-commands`: which word is spoken in a recording, and which when in a stream of sound."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_apps.application import Application, Data, Plot, Request
from lstm_apps.data import sources
from lstm_apps.data.splits import by_group
from lstm_apps.errors import InputError, unknown_name
from lstm_apps.features import Arrays, ModelFunction
from lstm_apps.features.mel import LogMel
from lstm_apps.metrics.bootstrap import Estimate, Metric, Scores, proportion
from lstm_apps.speech.commands import baselines, detection
from lstm_apps.speech.commands.augment import SPEED, words_in_noise
from lstm_apps.speech.commands.data import LAYOUT, Recording, list_recordings
from lstm_apps.speech.commands.features import KeywordFeatures

if TYPE_CHECKING:
    import keras


ACCURACY = Metric("accuracy", "higher", "share of recordings whose word is recognised")
AS_SPOKEN = Metric(
    "accuracy as spoken",
    "higher",
    "share of recordings whose word is recognised, without test-time augmentation",
)
_SCALER_RECORDINGS = 1000
BANDS = 40
_FEWEST_SPEAKERS = 5  # for a split by speaker
_MOST_WORDS = 2  # in a training example
_SECOND_WORD, _NO_WORD = 0.1, 0.05  # shares of training examples
_VARIED_IF_KNOWN = 0.2  # share of augmented training examples if all speakers are known, else 1
_FIT_RECORDINGS = 200  # of each word
_UNKNOWN = 0.05  # share of correctly recognised validation words that may become unknown
_SPIKE_LOSS = 0.3  # weight of the spike loss; more lowers the accuracy on new speakers


class SpeechCommands(Application):
    """Recognition of a closed set of words, in recordings of one word and in a stream."""

    name = "speech-commands"
    domain = "speech"
    model_module = "lstm_apps.speech.commands.model"
    summary = "Recognise spoken digits, or words of your own, in recordings and in a stream of sound"
    dataset = "fsdd"
    layout = LAYOUT
    roles = {}  # noqa: RUF012
    metrics = (ACCURACY, AS_SPOKEN, detection.HIT_RATE, detection.FALSE_ALARMS)
    outputs = ("probabilities", "known")
    stream_outputs = ("frames",)
    baselines = baselines.NAMES
    presets = {  # noqa: RUF012
        "quick": {"epochs": 7, "units": 96, "batch_size": 32, "learning_rate": 4e-3, "patience": 7},
        "full": {
            "epochs": 80,
            "units": 128,
            "dropout": 0.1,
            "learning_rate": 3e-3,
            "weight_decay": 1e-3,
            "patience": 30,
        },
    }

    def load(self, request: Request) -> Data:
        self.columns(request, fold=True)
        found = sources.find(request.path or self.dataset)
        recordings = list_recordings(found.path)
        provenance = found.provenance()
        (train, validation, test), how = self._split(
            found.path, recordings, request.fold, official=provenance["source"] == self.dataset
        )
        words = sorted({r.label for r in train})
        for name, part in (("training", train), ("validation", validation), ("test", test)):
            if not part:
                raise InputError(f"The {name} part has no recording; they were split {how}.")
        for part in (validation, test):
            if unknown := sorted({r.label for r in part} - set(words)):
                raise InputError(f"No recording of {', '.join(unknown)} is left for training.")
        known = {r.speaker for r in test} <= {*_speakers(train)}
        return Data(
            train,
            validation,
            test,
            provenance={
                **provenance,
                "words": words,
                "speakers": len(_speakers(recordings)),
                "known_speakers": known,
                "split": how,
                "recordings": f"{len(train)} to train, {len(validation)} to validate, {len(test)} to test",
            },
            settings={"words": tuple(words), "known_speakers": known},
        )

    def folds(self, request: Request) -> tuple[str, ...]:
        """The speakers; each is the test part once."""
        return tuple(_speakers(list_recordings(sources.find(request.path or self.dataset).path)))

    def _split(self, folder: Path, recordings: list[Recording], fold: str | None, official: bool):
        """Training, validation and test part, and the rule of the split."""
        speakers = _speakers(recordings)
        if fold is not None:
            if fold not in speakers:
                raise unknown_name("speaker", fold, speakers)
            test = [r for r in recordings if r.speaker == fold]
            others = [r for r in recordings if r.speaker != fold]
            if not others:
                raise InputError(f"Without {fold} there are no speakers to learn from.")
            train, validation, _ = by_group(others, lambda r: r.file.name, 0.1, 0.0)
            return (train, validation, test), f"test: {fold}; validation: a tenth of the others' takes"
        if official:
            test = [r for r in recordings if r.take < 5]
            validation = [r for r in recordings if 5 <= r.take < 10]
            train = [r for r in recordings if r.take >= 10]
            return (train, validation, test), "official: takes 0 to 4 to test; 5 to 9 to validate"
        lists = [folder / f"{part}_list.txt" for part in ("validation", "testing")]
        if all(file.is_file() for file in lists):  # as Speech Commands has them
            names = [set(map(str.strip, file.read_text(encoding="utf-8").splitlines())) for file in lists]
            parts: list[list[Recording]] = [[], [], []]
            for r in recordings:
                name = r.file.relative_to(folder).as_posix()
                parts[1 if name in names[0] else 2 if name in names[1] else 0].append(r)
            return parts, "by the folder's validation_list.txt and testing_list.txt"
        if len(speakers) >= _FEWEST_SPEAKERS and all(r.speaker for r in recordings):
            return by_group(recordings, lambda r: r.speaker), "by speaker"
        return by_group(recordings, lambda r: r.file.relative_to(folder).as_posix()), (
            f"by recording: with {len(speakers)} named speakers, all parts may contain all of them"
        )

    def fit_features(self, data: Data) -> KeywordFeatures:
        train: list[Recording] = data.train
        rate = 16000 if np.median([r.rate for r in train]) >= 16000 else 8000
        window = rate * 32 // 1000
        spectrogram = LogMel(rate, window, window // 2, bands=BANDS, low=60.0, high=0.475 * rate)
        some = np.unique(np.linspace(0, len(train) - 1, _SCALER_RECORDINGS).astype(int))
        longest = float(np.percentile([r.seconds for r in train], 99))
        return KeywordFeatures.fit(
            data.settings["words"],
            spectrogram,
            [train[i].read(rate) for i in some],
            longest,
            known_speakers=data.settings["known_speakers"],
        )

    def examples(self, features: KeywordFeatures, records: list[Recording]) -> "RecordingExamples":
        return RecordingExamples(features, records)

    def build(self, features: KeywordFeatures, *, units: int, layers: int, dropout: float) -> "keras.Model":
        from lstm_apps.speech.commands.model import spotter

        return spotter(
            spectrogram=features.spectrogram,
            mean=features.mean,
            variance=features.variance,
            words=len(features.words),
            units=units,
            layers=layers,
            dropout=dropout,
            varied=_varied(features),
        )

    def loss(self, features: KeywordFeatures) -> Any:
        import keras

        from lstm_apps.speech.commands.model import SpikeLoss

        return {"logits": SpikeLoss(), "probabilities": keras.losses.SparseCategoricalCrossentropy()}

    def calibrate(self, model: "keras.Model", features: KeywordFeatures, data: Data) -> KeywordFeatures:
        """Fit familiarity, and the thresholds of recordings and of streams, on validation."""

        def run(inputs: Arrays) -> Arrays:
            return model.predict(inputs, verbose=0)

        self._fit_familiarity(model, features, data)
        found = features.probabilities(run, [r.read(features.rate) for r in data.validation])
        right = found.argmax(axis=1) == [features.words.index(r.label) for r in data.validation]
        if right.any():
            abstain = float(np.quantile(found[right].max(axis=1), _UNKNOWN))
            features = replace(features, abstain=min(abstain, 1.0))
        long = detection.long_recording(data.validation, features.rate)
        frames = detection.spikes(features, long, run)
        return replace(features, threshold=detection.best_threshold(features, long, frames))

    def _fit_familiarity(self, model: "keras.Model", features: KeywordFeatures, data: Data) -> None:
        """Fit class means on training words, plain and augmented, and the sigmoid on validation words."""
        import keras

        layer = model.get_layer("known")
        memory = keras.Model(
            model.input, {"memory": layer.input, "probabilities": model.output["probabilities"]}
        )
        of_word: dict[str, list[Recording]] = {word: [] for word in features.words}
        for recording in data.train:
            of_word[recording.label].append(recording)
        chosen = [r for records in of_word.values() for r in records[:: -(-len(records) // _FIT_RECORDINGS)]]
        vectors, words = [], []
        for rng in (None, np.random.default_rng(0)):
            inputs, targets, weights = self.examples(features, chosen).batch(np.arange(len(chosen)), rng)
            one = weights["probabilities"] > 0
            vectors.append(memory.predict(inputs, verbose=0)["memory"][one])
            words.append(targets["probabilities"][one, 0])
        inputs, targets, _ = self.examples(features, data.validation).batch(
            np.arange(len(data.validation)), None
        )
        found = memory.predict(inputs, verbose=0)
        right = found["probabilities"].argmax(axis=1) == targets["probabilities"][:, 0]
        vectors_right = found["memory"][right] if right.any() else found["memory"]
        layer.fit(np.concatenate(vectors), np.concatenate(words), vectors_right)

    def score(self, features: KeywordFeatures, data: Data, run: ModelFunction) -> Scores:
        alone = self.score_alone(features, data, run)
        if ACCURACY.name in alone:
            return alone
        return {ACCURACY.name: _accuracy(data, self._predicted(features, data, run)), **alone}

    def score_alone(self, features: KeywordFeatures, data: Data, run: ModelFunction) -> Scores:
        once = features.as_spoken()
        metric = ACCURACY if features == once else AS_SPOKEN
        return {metric.name: _accuracy(data, self._predicted(once, data, run))}

    def score_stream(self, features: KeywordFeatures, data: Data, run: ModelFunction) -> Scores:
        long = detection.long_recording(data.test, features.rate)
        return detection.score(features, long, detection.spikes(features, long, run))

    def baseline_predictions(self, features: KeywordFeatures, data: Data) -> Iterator[tuple[str, np.ndarray]]:
        """(recordings,) words."""
        parts = (data.train, data.validation, data.test)
        yield from baselines.predictions(features.spectrogram, *parts)

    def score_baseline(
        self, features: KeywordFeatures, data: Data, name: str, predictions: np.ndarray
    ) -> Scores:
        return {ACCURACY.name: _accuracy(data, predictions)}

    def _predicted(self, features: KeywordFeatures, data: Data, run: ModelFunction) -> np.ndarray:
        """(recordings,) the predicted word of each test recording."""
        found = features.probabilities(run, [r.read(features.rate) for r in data.test])
        return np.array(features.words)[found.argmax(axis=1)]

    def plots(self, features: KeywordFeatures, data: Data, run: ModelFunction) -> list[Plot]:
        from lstm_apps.speech.commands.plots import confusion, detection_curve, spikes_over_time

        found = self._predicted(features, data, run).tolist()
        short = detection.long_recording(data.test[:: max(1, len(data.test) // 8)], features.rate)
        long = detection.long_recording(data.test, features.rate)
        return [
            confusion([r.label for r in data.test], found, features.words),
            spikes_over_time(features, short, detection.spikes(features, short, run)),
            detection_curve(features, long, detection.spikes(features, long, run)),
        ]

    def sample_input(self, features: KeywordFeatures, data: Data) -> str:
        return str(data.test[0].file)

    def stream_chunk(self, features: KeywordFeatures) -> int:
        return features.spectrogram.hop


def _varied(features: KeywordFeatures) -> float:
    """The share of training examples that are augmented as other speakers."""
    return _VARIED_IF_KNOWN if features.known_speakers else 1.0


def _accuracy(data: Data, words: np.ndarray) -> Estimate:
    return proportion(words == np.array([r.label for r in data.test]))


def _speakers(recordings: list[Recording]) -> list[str]:
    """Names of the speakers, sorted, without unnamed ones."""
    return sorted({r.speaker for r in recordings} - {""})


class RecordingExamples:
    """Recordings in clips: in training up to two in a clip, at another speed, in noise; otherwise one in the
    middle of a clip. Targets: see `SpikeLoss`."""

    def __init__(self, features: KeywordFeatures, recordings: list[Recording]):
        self.features, self.recordings = features, recordings

    def __len__(self) -> int:
        return len(self.recordings)

    def batch(self, indices: np.ndarray, rng: np.random.Generator | None) -> tuple[Arrays, Arrays, Arrays]:
        """Waveforms (batch, clip), targets (batch, most words, 3) and words (batch, 1), weights (batch,)."""
        features, varied = self.features, _varied(self.features)
        waveforms = np.zeros((len(indices), features.clip), np.float32)
        targets = np.zeros((len(indices), _MOST_WORDS, 3), np.int32)
        for row, i in enumerate(indices):
            chosen = [self.recordings[i]] if rng is None else self._drawn(i, rng)
            sounds = [r.read(features.rate) for r in chosen]
            if rng is None:
                waveforms[row] = features.in_clip(sounds[0])
                begin = features.begin(len(sounds[0]))
                spans = [(begin, begin + len(sounds[0]))]
            else:
                # The tail has no word, as in the clips of `KeywordFeatures`.
                waveforms[row], spans = words_in_noise(
                    sounds,
                    features.rate,
                    features.clip,
                    rng,
                    features.tail_samples,
                    SPEED if varied == 1 or rng.random() < varied else 0.0,
                )
            for word, (recording, span) in enumerate(zip(chosen, spans, strict=False)):
                targets[row, word] = 1 + features.words.index(recording.label), *self._window(*span)
        # The word is defined where there is exactly one.
        one = (targets[:, 0, 0] > 0) & (targets[:, 1:, 0] == 0).all(axis=1)
        words = np.maximum(0, targets[:, :1, 0] - 1)
        weights = {
            "logits": np.full(len(indices), _SPIKE_LOSS, np.float32),
            "probabilities": one.astype(np.float32),
        }
        return {"waveform": waveforms}, {"logits": targets, "probabilities": words}, weights

    def _drawn(self, i: int, rng: np.random.Generator) -> list[Recording]:
        """Recording `i`, or it with a random one, or none: noise alone."""
        share = rng.random()
        if share < _NO_WORD:
            return []
        if share < _NO_WORD + _SECOND_WORD:
            return [self.recordings[i], self.recordings[rng.integers(len(self.recordings))]]
        return [self.recordings[i]]

    def _window(self, begin: int, end: int) -> tuple[int, int]:
        """First frame, and the one after the last, in which a word should be detected: from its middle to a
        tail after its end."""
        hop = self.features.spectrogram.hop
        last = self.features.clip // hop - 1  # of a word that the clip has no room for
        return min((begin + end) // 2 // hop, last), (end + self.features.tail_samples) // hop


SPEECH_COMMANDS = SpeechCommands()
