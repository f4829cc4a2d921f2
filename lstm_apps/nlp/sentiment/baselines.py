"""Baselines of sentiment: a lexicon with rules, and linear models of word and character n-grams."""

from collections.abc import Iterator

import numpy as np

from lstm_apps.nlp.sentiment.data import Sentence

NAMES = ("VADER", "TF-IDF, logistic regression", "TF-IDF, ridge regression")
Predictions = list[tuple[np.ndarray, np.ndarray]]  # of each part: positive (texts,) booleans, scores (texts,)


def predictions(
    train: list[Sentence], validation: list[Sentence], parts: list[list[Sentence]]
) -> Iterator[tuple[str, Predictions]]:
    """Each baseline's name and its predictions for `parts`, tuned on validation."""
    plain = [s for s in validation if s.is_plain]
    yield NAMES[0], _vader(plain, parts)
    yield NAMES[1], _logistic_regression([s for s in train if s.is_plain], plain, parts)
    yield NAMES[2], _ridge_regression(train, validation, parts)


def _vader(validation: list[Sentence], parts: list[list[Sentence]]) -> Predictions:
    """The rules of Hutto & Gilbert (2014), with the threshold of the best accuracy on validation."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    vader = SentimentIntensityAnalyzer()

    def compound(sentences: list[Sentence]) -> np.ndarray:
        return np.array([vader.polarity_scores(s.text)["compound"] for s in sentences])

    found, positive = compound(validation), np.array([s.score > 0 for s in validation])
    threshold = max(np.unique(found), key=lambda t: ((found > t) == positive).mean())
    scores = [compound(part) for part in parts]
    return [(s > threshold, s) for s in scores]


def _logistic_regression(
    train: list[Sentence], validation: list[Sentence], parts: list[list[Sentence]]
) -> Predictions:
    """Word and character n-grams (Wang & Manning 2012 found them hard to beat)."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts = [s.text for s in train]
    positive = np.array([s.score > 0 for s in train])
    held_out, right = [s.text for s in validation], [s.score > 0 for s in validation]
    weights = np.array([s.weight for s in train])
    fitted = []
    for letters in (False, True):
        vectors = _vectors(letters)
        known, unknown = vectors.fit_transform(texts), vectors.transform(held_out)
        for c in (1, 3, 10, 30):
            model = LogisticRegression(C=c, max_iter=1000).fit(known, positive, weights)
            fitted.append((model.score(unknown, right), make_pipeline(vectors, model)))
    _, best = max(fitted, key=lambda pair: pair[0])

    def log_odds(part: list[Sentence]) -> np.ndarray:
        return best.decision_function([s.text for s in part]) if part else np.zeros(0)

    scores = [log_odds(part) for part in parts]
    return [(s > 0, s) for s in scores]


def _ridge_regression(
    train: list[Sentence], validation: list[Sentence], parts: list[list[Sentence]]
) -> Predictions:
    """The same n-grams, fitted to the scores of all sentences, neutral ones too."""
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline

    scores, weights = (np.array([getattr(s, name) for s in train]) for name in ("score", "weight"))
    right = [s.score for s in validation]
    vectors = _vectors(letters=True)
    known = vectors.fit_transform([s.text for s in train])
    unknown = vectors.transform([s.text for s in validation])
    fitted = []
    for alpha in (0.3, 1.0, 3.0):
        model = Ridge(alpha).fit(known, scores, weights)
        with np.errstate(invalid="ignore", divide="ignore"):  # NaN of constant values
            quality = np.corrcoef(model.predict(unknown), right)[0, 1]
        fitted.append((np.nan_to_num(quality), make_pipeline(vectors, model)))
    _, best = max(fitted, key=lambda pair: pair[0])
    found = [best.predict([s.text for s in part]) if part else np.zeros(0) for part in parts]
    return [(s > 0, s) for s in found]


def _vectors(letters: bool):
    """Vectorizer of words and word pairs, with or without character n-grams."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"[^\s]+")
    groups = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    return make_union(words, groups) if letters else words
