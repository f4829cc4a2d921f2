"""Can the model read a text? By its share of known characters and its surprisal under the vocabulary."""

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

# A character is known if it is in so many training texts, or in a token of the vocabulary.
_KNOWN_FROM = 10
# The share of unknown characters above which a text gets no label.
MOST_UNREAD = 0.25
# The share of training texts above the limit of surprisal.
_OUTLYING = 0.001
_MARGIN = 1.0  # nats per letter by which the limit is at least above the mean
_PRIOR = 5  # letters of mean surprisal that are added to each text
_TAG = re.compile(
    r"<!--(?:(?!<!--).)*?-->|<(script|style)\b[^<>]*>(?:(?!<\1\b).)*?</\1\s*>"
    r"""|</?[a-z][\w:-]*(?:\s(?:"[^"<]*"|'[^'<]*'|[^<>"'])*)?/?>""",
    re.IGNORECASE | re.DOTALL,
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]\w{1,30});", re.IGNORECASE)
_EMOTICON = re.compile(r"[:;=8][-^'o]?[()\[\]|/\\*]|[()\[\]][-^'o]?[:;=8]|<3|\^[_.-]?\^")
_RUN = re.compile(r"(\w)\1{2,}")


def without_markup(text: str) -> str:
    """The text without HTML or XML tags, and with entities replaced by their characters; also of markup
    whose signs are entities themselves, as where a page was escaped on its way into a table."""
    if "<" in text:
        text = _TAG.sub(" ", text)
    for _ in range(2):  # escaped twice at most
        if "&" not in text:
            break
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
        if "<" in text:
            text = _TAG.sub(" ", text)
    return text


def has_words(text: str) -> bool:
    """Whether a text has a letter, a symbol such as an emoji, or an emoticon."""
    return any(_is_letter(c) or unicodedata.category(c) == "So" for c in text) or bool(_EMOTICON.search(text))


def alphabet(normalised: Iterable[str], tokens: Iterable[str]) -> str:
    """The known characters, sorted: of the vocabulary's `tokens`, and those frequent in training texts."""
    count = Counter(c for text in normalised for c in set(text))
    often = {c for c, texts in count.items() if texts >= _KNOWN_FROM}
    return "".join(sorted((often | set("".join(tokens))) - {" ", "▁"}))


def unread(normalised: str, known: str | frozenset[str]) -> float:
    """The share of a normalised text's characters, without spaces, that are not in `known`; 1 if empty."""
    signs = [c for c in normalised if c not in " ▁"]
    return sum(c not in known for c in signs) / len(signs) if signs else 1.0


def surprisal(text: str, tokens: Callable[[str], Sequence[tuple[str, float]]]) -> tuple[float, int]:
    """Surprisal of a text's tokens under the vocabulary's unigram model, in nats, and their number of
    letters.

    Unknown words fall into many short tokens, which makes their surprisal large. A letter that is repeated
    more than twice counts twice.

    Args:
        text: Only its tokens with letters count.
        tokens: From a text to its tokens and the log-probability of each.
    """
    letters, nats = 0, 0.0
    for token, log_probability in tokens(_RUN.sub(r"\1\1", text)):
        if found := sum(map(_is_letter, token)):
            letters += found
            nats -= log_probability
    return nats, letters


@dataclass(frozen=True)
class SurprisalLimit:
    """Surprisal per letter of typical texts, in nats, and its limit."""

    mean: float = 0.0
    most: float = 1e6  # which no text reaches

    @classmethod
    def fit(cls, texts: Sequence[tuple[float, int]]) -> Self:
        """Fit to pairs of `surprisal`: one text in a thousand is above the limit, which is at least `_MARGIN`
        above the mean."""
        if not texts:
            return cls()
        mean = sum(nats for nats, _ in texts) / max(1, sum(letters for _, letters in texts))
        found = cls(mean)
        limit = float(np.quantile([found(*text) for text in texts], 1 - _OUTLYING))
        return cls(mean, max(limit, mean + _MARGIN))

    def __call__(self, nats: float, letters: int) -> float:
        """Nats per letter, shrunk towards the mean, because short texts vary."""
        return (nats + _PRIOR * self.mean) / (letters + _PRIOR)


def _is_letter(c: str) -> bool:
    return unicodedata.category(c)[0] in "LM"
