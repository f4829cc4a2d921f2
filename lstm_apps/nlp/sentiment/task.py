"""`sentiment`: is a text positive or negative, and how strongly?"""

import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_apps.application import Application, Data, Plot, Request
from lstm_apps.data import sources
from lstm_apps.data.splits import by_group
from lstm_apps.errors import InputError
from lstm_apps.features import Arrays, ModelFunction
from lstm_apps.metrics.bootstrap import Estimate, Metric, Scores, proportion, resamples
from lstm_apps.nlp.sentiment import baselines
from lstm_apps.nlp.sentiment.data import LAYOUT, Sentence, read_sentences
from lstm_apps.nlp.sentiment.features import PADDING, UNKNOWN, TextFeatures
from lstm_apps.nlp.sentiment.legibility import without_markup

if TYPE_CHECKING:
    import keras


ACCURACY = Metric("accuracy", "higher", "share of clearly positive or negative sentences classified right")
CORRELATION = Metric("correlation", "higher", "Pearson's, of the scores of all sentences and those by people")
ELSEWHERE = Metric("accuracy on food reviews", "higher", "share of whole reviews that are classified right")
# The test of transfer to another kind of text, beside the default dataset.
OTHER_KIND = "food-reviews"

VOCABULARY = 4000
LENGTHS = (16, 24, 40, 64)  # tokens that a text is padded to; one in 500 has more than the last
MEMBERS = 3
# Augmentation: subword regularisation (Kudo 2018), and dropped tokens.
SAMPLING, DROPPED = 0.4, 0.1
SCORE_LOSS = 0.3  # weight of the score's loss; the class has 1
CERTAINTY = 1.5  # log odds of a score of 1: soft targets are sigmoid(CERTAINTY * score)
_PARITY_INPUTS = 16
_MOST_CUT = 0.02  # share of texts that may be longer than `LENGTHS[-1]` without a warning


class Sentiment(Application):
    """Classification of sentences with scores by people, split by document."""

    name = "sentiment"
    domain = "nlp"
    model_module = "lstm_apps.nlp.sentiment.model"
    summary = "Tell whether sentences of reviews and tweets are positive or negative, and how strongly"
    dataset = "vader-sentences"
    layout = LAYOUT
    roles = {  # noqa: RUF012
        "text": "text",
        "target": "score",
        "document": "document",
        "weight": "weight",
    }
    metrics = (ACCURACY, CORRELATION, ELSEWHERE)
    outputs = ("log_odds", "score")
    right_padded = True
    baselines = baselines.NAMES
    presets = {  # noqa: RUF012
        "quick": {"epochs": 3, "units": 32, "batch_size": 128, "learning_rate": 3e-3, "dropout": 0.35},
        "full": {
            "epochs": 8,
            "batch_size": 128,
            "learning_rate": 3e-3,
            "dropout": 0.35,
            "weight_decay": 1e-2,
            "patience": 8,
        },
    }

    def load(self, request: Request) -> Data:
        columns = self.columns(request, dialect=("skip",))
        found = sources.find(request.path or self.dataset)
        sentences = read_sentences(found.path, columns, request.dialect)
        provenance = found.provenance()
        if own := provenance["source"] == self.dataset:
            sources.get(OTHER_KIND)  # a failing download is better reported now than after the training
        # Sentences of a weight below 1 are for training only.
        main = [s for s in sentences if s.weight >= 1]
        if not main:
            raise InputError(f"{found.path} holds no text of weight 1; others are for training only.")
        train, validation, test = by_group(main, lambda s: s.document, 0.1, 0.2)
        known = {s.document for s in (*validation, *test)}
        more = [s for s in sentences if s.weight < 1 and s.document not in known]
        for name, part in (("training", train), ("validation", validation), ("test", test)):
            if len({s.score > 0 for s in part if s.is_plain}) < 2:
                raise InputError(f"The {name} part of the texts is not both positive and negative.")
        return Data(
            train + more,
            validation,
            test,
            provenance={
                **provenance,
                "split": "by document: 70 % to train, 10 % to validate, 20 % to test",
                "sentences": f"{len(train)} (and {len(more)} of less weight) to train, "
                f"{len(validation)} to validate, {len(test)} to test",
                "other_kind": OTHER_KIND if own else None,
            },
            settings={"other_kind": own},
        )

    def fit_features(self, data: Data) -> TextFeatures:
        return TextFeatures.fit(
            (s.text for s in data.train),
            vocabulary=VOCABULARY,
            lengths=LENGTHS,
            typical=(s.text for s in data.train if s.weight >= 1),  # the others are single words
        )

    def examples(self, features: TextFeatures, records: list[Sentence]) -> "SentenceExamples":
        return SentenceExamples(features, records)

    def build(self, features: TextFeatures, *, units: int, layers: int, dropout: float) -> "keras.Model":
        from lstm_apps.nlp.sentiment.model import text_classifier

        return text_classifier(
            vocabulary=features.processor.get_piece_size(),
            units=units,
            layers=layers,
            dropout=dropout,
            members=MEMBERS,
            certainty=CERTAINTY,
        )

    def loss(self, features: TextFeatures) -> Any:
        import keras

        return {
            "member_log_odds": keras.losses.BinaryCrossentropy(from_logits=True),
            "member_scores": keras.losses.Huber(),
        }

    def score(self, features: TextFeatures, data: Data, run: ModelFunction) -> Scores:
        found = features.scores(run, [s.text for s in data.test])
        other = None
        if reviews := self._reviews(data):
            positive = features.scores(run, [r.text for r in reviews])[:, 0] > 0
            other = positive == [r.score > 0 for r in reviews]
        return self._scores(data.test, found[:, 0] > 0, found[:, 1], other)

    def _reviews(self, data: Data) -> list[Sentence]:
        """Texts of another kind; none for a user's own data."""
        return read_sentences(sources.get(OTHER_KIND), self.roles) if data.settings["other_kind"] else []

    def baseline_predictions(self, features: TextFeatures, data: Data) -> Iterator[tuple[str, Any]]:
        """Positive or not, and scores, of the sentences of the test part and of the reviews."""
        parts = [data.test, self._reviews(data)]
        yield from baselines.predictions(data.train, data.validation, parts)

    def score_baseline(self, features: TextFeatures, data: Data, name: str, predictions: Any) -> Scores:
        (positive, scores), (other, _) = predictions
        reviews = self._reviews(data)
        right = other == [r.score > 0 for r in reviews] if reviews else None
        return self._scores(data.test, positive, scores, right)

    def lengths(self, features: TextFeatures) -> tuple[int, ...]:
        return features.lengths[:-1]

    def _scores(
        self, sentences: list[Sentence], positive: np.ndarray, scores: np.ndarray, other: np.ndarray | None
    ) -> Scores:
        true = np.array([s.score for s in sentences])
        plain = np.array([s.is_plain for s in sentences])

        def correlation(chosen: slice | np.ndarray) -> float:
            with np.errstate(invalid="ignore", divide="ignore"):  # NaN of constant values
                return float(np.corrcoef(scores[chosen], true[chosen])[0, 1])

        found = {
            ACCURACY.name: proportion((positive == (true > 0))[plain]),
            CORRELATION.name: Estimate.over(
                correlation(slice(None)),
                list(map(correlation, resamples(len(true)))),
                "the scores, or people's, are all the same",
            ),
        }
        return found if other is None else {**found, ELSEWHERE.name: proportion(other)}

    def plots(self, features: TextFeatures, data: Data, run: ModelFunction) -> list[Plot]:
        from lstm_apps.nlp.sentiment.plots import saliency, scores_against_people

        found = features.scores(run, [s.text for s in data.test])
        plain = [s.text for s in data.test if s.is_plain and len(s.text) <= 100]
        shown = plain[:: max(1, len(plain) // 8)][:8] or [data.test[0].text[:100]]
        return [
            scores_against_people(np.array([s.score for s in data.test]), found[:, 1]),
            saliency(features, shown, run),
        ]

    def preprocessing(self, features: TextFeatures, data: Data) -> tuple[Callable[..., Any], Arrays]:
        try:
            from lstm_apps.models.tokenizer import Tokenizer
        except ImportError as error:
            raise InputError(
                "A SavedModel that takes text needs tensorflow-text, which is not here."
            ) from error
        rows = np.unique(np.linspace(0, len(data.test) - 1, _PARITY_INPUTS).astype(int))
        texts = np.array([data.test[i].text for i in rows])
        return Tokenizer(features.sentencepiece, features.length, PADDING, UNKNOWN), {"text": texts}

    def sample_input(self, features: TextFeatures, data: Data) -> str:
        return data.test[-1].text


class SentenceExamples:
    """Sentences as token numbers; in training tokens are sampled and some dropped. Targets of the class are
    soft: a strong score makes a certain target.

    Attributes:
        tokens: Token numbers of each sentence.
        lengths: (sentences,) their count: batches of like lengths need less padding.
    """

    def __init__(self, features: TextFeatures, sentences: list[Sentence]):
        self.features, self.sentences = features, sentences
        self.texts = [without_markup(s.text) for s in sentences]
        self.tokens = [p or [UNKNOWN] for p in features.processor.encode(self.texts)]
        self.lengths = np.array([len(p) for p in self.tokens])
        if (cut := (self.lengths > features.length).mean()) > _MOST_CUT:
            warnings.warn(
                f"{cut:.0%} of the texts have more than {features.length} tokens and are read up to there: "
                "give sentences, as `predict` takes a text.",
                stacklevel=2,
            )

    def __len__(self) -> int:
        return len(self.sentences)

    def batch(self, indices: np.ndarray, rng: np.random.Generator | None) -> tuple[Arrays, Arrays, Arrays]:
        """Tokens (batch, time) int32, targets (batch, members + 1), weights (batch,)."""
        chosen = [self.sentences[i] for i in indices]
        if rng is None:
            tokens = self.features.padded([self.tokens[i] for i in indices])
        else:
            tokens = self._sampled([self.texts[i] for i in indices], rng)
        score = np.array([[s.score] for s in chosen], np.float32).repeat(MEMBERS + 1, axis=1)
        weight = np.array([s.weight for s in chosen], np.float32)
        targets = {"member_log_odds": 1 / (1 + np.exp(-CERTAINTY * score)), "member_scores": score}
        return {"tokens": tokens}, targets, {"member_log_odds": weight, "member_scores": SCORE_LOSS * weight}

    def _sampled(self, texts: list[str], rng: np.random.Generator) -> np.ndarray:
        import sentencepiece

        sentencepiece.set_random_generator_seed(int(rng.integers(2**31)))
        tokens = self.features.processor.encode(
            texts, enable_sampling=True, alpha=SAMPLING, nbest_size=-1, num_threads=1
        )  # with more threads, samples differ each time
        longest = max(map(len, tokens))
        lengths = self.features.lengths
        tokens = self.features.padded(tokens, next((n for n in lengths if n >= longest), lengths[-1]))
        dropped = (rng.random(tokens.shape) < DROPPED) & (tokens != PADDING)
        tokens[dropped] = UNKNOWN
        tokens[:, 0] = np.maximum(tokens[:, 0], UNKNOWN)  # an empty text has one unknown token
        return tokens


SENTIMENT = Sentiment()
