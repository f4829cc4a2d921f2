"""What of a text a vocabulary can read: characters that it learnt, in words that it has."""

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

# A character is learnt if so many training texts hold it, or if a piece of the vocabulary does.
_LEARNT = 10
# The share of characters that were not learnt, above which a text is not judged.
MOST_UNREAD = 0.25
# The share of training texts that are stranger than what is judged.
_STRANGEST = 0.001
_APART = 1.0  # nats a letter: where there are few training texts, they are hardly strange
_PRIOR = 5  # letters
_TAG = re.compile(
    r"<!--(?:(?!<!--).)*?-->|<(script|style)\b[^<>]*>(?:(?!<\1\b).)*?</\1\s*>"
    r"""|</?[a-z][\w:-]*(?:\s(?:"[^"<]*"|'[^'<]*'|[^<>"'])*)?/?>""",
    re.IGNORECASE | re.DOTALL,
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]\w{1,30});", re.IGNORECASE)
_EMOTICON = re.compile(r"[:;=8][-^'o]?[()\[\]|/\\*]|[()\[\]][-^'o]?[:;=8]|<3|\^[_.-]?\^")
_RUN = re.compile(r"(\w)\1{2,}")


def without_markup(text: str) -> str:
    """The text without tags of HTML or XML, entities as the characters that they stand for."""
    if "<" in text:
        text = _TAG.sub(" ", text)
    return _ENTITY.sub(lambda found: html.unescape(found[0]), text) if "&" in text else text


def has_words(text: str) -> bool:
    """Whether there is a letter, a symbol such as an emoji, or an emoticon: more than digits and
    punctuation."""
    return any(_is_letter(c) or unicodedata.category(c) == "So" for c in text) or bool(_EMOTICON.search(text))


def alphabet(normalised: Iterable[str], pieces: Iterable[str]) -> str:
    """The characters that a vocabulary of `pieces` has learnt from training texts."""
    count = Counter(c for text in normalised for c in set(text))
    often = {c for c, texts in count.items() if texts >= _LEARNT}
    return "".join(sorted((often | set("".join(pieces))) - {" ", "▁"}))


def unread(normalised: str, known: str | frozenset[str]) -> float:
    """The share of a text's characters, spaces apart, that are not known."""
    signs = [c for c in normalised if c not in " ▁"]
    return sum(c not in known for c in signs) / len(signs) if signs else 1.0


def surprise(text: str, pieces: Callable[[str], Sequence[tuple[str, float]]]) -> tuple[float, int]:
    """How unlikely a text's words are in the vocabulary's own unigram model, in nats, and how many letters
    they have. Words that fall into small pieces are unlikely. A drawn-out letter counts twice.

    Args:
        text: Of which only pieces with letters count.
        pieces: The pieces of a text, and the log-probability of each.
    """
    letters, nats = 0, 0.0
    for piece, log_probability in pieces(_RUN.sub(r"\1\1", text)):
        if found := sum(map(_is_letter, piece)):
            letters += found
            nats -= log_probability
    return nats, letters


@dataclass(frozen=True)
class Strangeness:
    """Nats a letter of usual texts, and how many are too many."""

    usual: float = 0.0
    most: float = 1e6  # that no text has

    @classmethod
    def fit(cls, texts: Sequence[tuple[float, int]]) -> Self:
        """Of training texts as `surprise` has them: one in a thousand is too strange, if by `_APART`."""
        if not texts:
            return cls()
        usual = sum(nats for nats, _ in texts) / max(1, sum(letters for _, letters in texts))
        found = cls(usual)
        strange = float(np.quantile([found(*text) for text in texts], 1 - _STRANGEST))
        return cls(usual, max(strange, usual + _APART))

    def __call__(self, nats: float, letters: int) -> float:
        """Nats a letter, as if some of usual text were there too: of a short text little can be said."""
        return (nats + _PRIOR * self.usual) / (letters + _PRIOR)


def _is_letter(c: str) -> bool:
    return unicodedata.category(c)[0] in "LM"
