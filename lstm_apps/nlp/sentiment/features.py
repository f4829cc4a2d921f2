"""Features of a text classifier: text to token numbers, and the model's outputs to label and score."""

import base64
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from lstm_apps.errors import InputError, first_line
from lstm_apps.features.options import Options
from lstm_apps.nlp.sentiment import legibility
from lstm_apps.nlp.sentiment.legibility import SurprisalLimit, without_markup

Arrays = dict[str, np.ndarray]
PADDING, UNKNOWN = 0, 1
_RULE = "nmt_nfkc_cf"  # how text is normalised: Unicode NFKC, without case
_LONGEST = 1_000_000  # characters of a text
LABELS = ("negative", "positive")
CANNOT_READ = "cannot read"  # instead of a label
_NO_LIMIT = SurprisalLimit()  # of older files, which contain no limit
_TABLES = (".csv", ".tsv", ".jsonl", ".json")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True)
class TextFeatures:
    """From a text to token numbers, and from log odds and scores to an answer.

    The vocabulary is a complete SentencePiece model (Kudo & Richardson 2018), so that C++, JavaScript and
    `tensorflow_text.SentencepieceTokenizer` can use it.
    """

    sentencepiece: str  # the serialised model, base64
    lengths: tuple[int, ...]  # in tokens, ascending: a text is padded to the next; the last is the limit
    # Which texts get an answer, see `legibility`; older files know the characters of their tokens only.
    alphabet: str = ""  # known characters
    most_unread: float = legibility.MOST_UNREAD  # largest share of unknown characters
    surprisal_limit: SurprisalLimit = _NO_LIMIT

    kind: ClassVar[str] = "text"
    options: ClassVar[Options] = {}

    def __post_init__(self) -> None:
        if not self.lengths or sorted({*self.lengths, 0}) != [0, *self.lengths]:
            raise ValueError(f"lengths {self.lengths} do not ascend from 1")

    @classmethod
    def fit(
        cls,
        texts: Iterable[str],
        *,
        vocabulary: int,
        lengths: tuple[int, ...],
        typical: Iterable[str] | None = None,
    ) -> Self:
        """Train the vocabulary: unigram tokens without case, bytes for rare characters.

        Args:
            texts: The training part.
            vocabulary: Tokens at most.
            lengths: See the class.
            typical: Texts like those that `predict` will get, for the limit of surprisal; by default all.

        Raises:
            InputError: Too little text.
        """
        import io

        import sentencepiece

        texts = [without_markup(text) for text in texts]
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(texts),
                model_writer=model,
                vocab_size=vocabulary,
                model_type="unigram",
                hard_vocab_limit=False,  # a small text has fewer tokens
                byte_fallback=True,
                character_coverage=0.9995,
                normalization_rule_name=_RULE,
                pad_id=PADDING,
                unk_id=UNKNOWN,
                bos_id=-1,
                eos_id=-1,
                max_sentence_length=_LONGEST,  # in bytes; longer ones would be skipped
                num_threads=1,  # with more, the vocabulary differs each time
                minloglevel=2,
            )
        except RuntimeError as error:
            raise InputError(f"There is too little text to make a vocabulary of: {error}") from error
        fitted = cls(base64.b64encode(_without_repetitions(model.getvalue())).decode(), lengths)
        fitted = replace(fitted, alphabet=fitted._alphabet(texts))
        found = [fitted._surprisal(without_markup(text)) for text in (texts if typical is None else typical)]
        return replace(fitted, surprisal_limit=SurprisalLimit.fit(found))

    @property
    def length(self) -> int:
        """Tokens that the model reads at most."""
        return self.lengths[-1]

    @cached_property
    def processor(self) -> Any:
        """The vocabulary, a `sentencepiece.SentencePieceProcessor`; an InputError if damaged."""
        try:
            import sentencepiece
        except ImportError as error:
            raise InputError("Reading text needs sentencepiece: pip install 'lstm-apps[text]'.") from error
        try:
            return sentencepiece.SentencePieceProcessor(model_proto=base64.b64decode(self.sentencepiece))
        except (RuntimeError, ValueError) as error:
            raise InputError(f"The model's vocabulary is damaged: {first_line(error)}") from error

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.alphabet or self._alphabet([]))

    def _alphabet(self, texts: Iterable[str]) -> str:
        p = self.processor
        whole = (
            i for i in range(p.get_piece_size()) if not (p.is_byte(i) or p.is_control(i) or p.is_unknown(i))
        )
        return legibility.alphabet(map(p.normalize, texts), map(p.id_to_piece, whole))

    def _surprisal(self, text: str) -> tuple[float, int]:
        p = self.processor
        return legibility.surprisal(
            text, lambda t: [(p.id_to_piece(i), p.get_score(i)) for i in p.encode(t) if not p.is_byte(i)]
        )

    def unread(self, text: str) -> float:
        """The share of unknown characters in a text, from 0 to 1."""
        return legibility.unread(self.processor.normalize(without_markup(text)), self._known)

    def unreadable(self, text: str) -> str:
        """Why a text gets no label; "" where it gets one."""
        plain = without_markup(text)
        if not is_read(plain):
            return "there is no text in it"
        if not legibility.has_words(plain):
            return "there is no word in it"
        if (share := self.unread(text)) > self.most_unread:
            return f"{share:.0%} of its characters are of a script or kind that the model does not know"
        if self.surprisal_limit(*self._surprisal(plain)) > self.surprisal_limit.most:
            return "its letters make no words of a language that the model knows"
        return ""

    def parts(self, text: str) -> list[list[int]]:
        """Token numbers of a text: one part if there are at most `length`, as in training; else a part for
        each sentence, and several for a sentence of more than `length`.

        Raises:
            InputError: No text, or an empty one.
        """
        check_text(text)
        if not text.strip():
            raise InputError("The text is empty.")
        text = without_markup(text)
        if not (whole := self.processor.encode(text)):
            raise InputError("The text has no letter, digit or sign.")
        if len(whole) <= self.length:
            return [whole]
        encoded = (self.processor.encode(s) for s in _SENTENCE_END.split(text) if s.strip())
        return [e[i : i + self.length] for e in encoded for i in range(0, len(e), self.length)]

    def padded(self, parts: Sequence[Sequence[int]], length: int | None = None) -> np.ndarray:
        """(parts, length) int32 token numbers, padded with 0 at the end; by default of the model's length."""
        tokens = np.full((len(parts), length or self.length), PADDING, np.int32)
        for row, part in zip(tokens, parts, strict=True):
            row[: len(part)] = part[: len(row)]
        return tokens

    def part_scores(self, run: Callable[[Arrays], Arrays], parts: Sequence[Sequence[int]]) -> np.ndarray:
        """(parts, 2): log odds of being positive and score of each part, batched by length."""
        of = np.minimum(np.searchsorted(self.lengths, [len(p) for p in parts]), len(self.lengths) - 1)
        found = np.zeros((len(parts), 2), np.float32)
        for i in np.unique(of).tolist():
            mine = np.flatnonzero(of == i).tolist()
            outputs = run({"tokens": self.padded([parts[k] for k in mine], self.lengths[i])})
            found[mine] = np.concatenate([outputs["log_odds"], outputs["score"]], axis=1)
        return found

    def scores(self, run: Callable[[Arrays], Arrays], texts: Sequence[str]) -> np.ndarray:
        """(texts, 2): log odds of being positive and score of each text, the mean over its parts."""
        split = [self.parts(t) for t in texts]
        found = self.part_scores(run, [part for parts in split for part in parts])
        ends = np.cumsum([len(parts) for parts in split])
        return np.stack([part.mean(axis=0) for part in np.split(found, ends[:-1])])

    def predict(self, run: Callable[[Arrays], Arrays], raw: Any) -> dict[str, Any]:
        """Classify a text, a file or a list of texts.

        Args:
            run: The model: named inputs to named outputs.
            raw: A text of any number of sentences; or the `Path` of a text file; or a list, array or
                column of texts.

        Returns:
            "label" ("positive" or "negative"), "probability" of being positive, "score" from -4 to 4,
            "unread", the share of unknown characters, and "reason", why a text gets no label, else "". Then
            the label is "cannot read", and probability and score are None. Of a list: an array (texts,) of
            each, with NaN for None; an empty text has the label "cannot read".

        Raises:
            InputError: No text, or an empty one (but in a list); a table; a file that is not UTF-8.
        """
        if isinstance(raw, np.ndarray) or type(raw).__module__.startswith("pandas"):
            raw = raw.tolist() if hasattr(raw, "tolist") else raw
        if not isinstance(raw, list | tuple):
            text = _read(raw) if isinstance(raw, Path) else raw
            self.parts(text)  # an empty text is an error
            return {name: _plain(a[0].item()) for name, a in self._judged(run, [text]).items()}
        if not raw:
            raise InputError("The list of texts is empty.")
        for number, text in enumerate(raw, 1):
            try:
                check_text(text)
            except InputError as error:
                raise InputError(f"Text {number} of {len(raw)}: {error}") from error
        return self._judged(run, raw)

    def _judged(self, run: Callable[[Arrays], Arrays], texts: Sequence[str]) -> Arrays:
        reasons = [self.unreadable(text) for text in texts]
        read = [i for i, reason in enumerate(reasons) if not reason]
        found = np.full((len(texts), 2), np.nan, np.float32)
        if read:
            found[read] = self.scores(run, [texts[i] for i in read])
        log_odds, score = found.T
        return {
            "label": np.where(np.isnan(log_odds), CANNOT_READ, np.where(log_odds > 0, *reversed(LABELS))),
            "probability": 1 / (1 + np.exp(-log_odds)),
            "score": np.clip(score, -4, 4),
            "unread": np.array([self.unread(text) for text in texts]),
            "reason": np.array(reasons),
        }

    def stream(self, stream: Any) -> Any:
        raise InputError("A text is read in both directions: it is not streamed.")

    def about(self) -> dict[str, Any]:
        return {
            "labels": list(LABELS),
            "vocabulary": "a SentencePiece model in base64: features.sentencepiece of these metadata; "
            f"{PADDING} pads at the end, {UNKNOWN} is unknown",
        }

    def to_dict(self) -> dict:
        return {**asdict(self), "lengths": list(self.lengths)}

    @classmethod
    def from_dict(cls, data: dict) -> Self:
        surprisal_limit = SurprisalLimit(**data.get("surprisal_limit", {}))
        return cls(**{**data, "lengths": tuple(data["lengths"]), "surprisal_limit": surprisal_limit})


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value


def _without_repetitions(model: bytes) -> bytes:
    """A serialised SentencePiece model that does not use tokens like "!!", "haha" or "|--|--|".

    "!!!" as "!!" and "!" is as likely as "!" and "!!", and implementations choose differently.
    """
    from sentencepiece.sentencepiece_model_pb2 import ModelProto  # type: ignore[attr-defined]

    proto = ModelProto.FromString(model)
    for piece in proto.pieces:
        if piece.type == piece.NORMAL and _repeats(piece.piece):
            piece.type = piece.UNUSED
    return proto.SerializeToString()


def _repeats(token: str) -> bool:
    """Whether a token has a period of at most half its length."""
    return any(token[n:] == token[:-n] for n in range(1, len(token) // 2 + 1))


def check_text(text: Any) -> None:
    """Raise an InputError if this is no text, is badly decoded or too long."""
    if not isinstance(text, str):
        raise InputError(f"A text is a string, got {type(text).__name__}.")
    if any("\ud800" <= c <= "\udfff" for c in text):
        raise InputError("The text holds half a character: it was not decoded as the UTF-8 it is not.")
    if len(text) > _LONGEST:
        raise InputError(f"The text has {len(text):,} characters, at most {_LONGEST:,} are read.")


def is_read(text: str) -> bool:
    """Whether a text is not empty once it is normalised; control characters, for one, vanish."""
    return bool(_normaliser().normalize(text).strip("▁ "))


@cache
def _normaliser() -> Any:
    import sentencepiece

    return sentencepiece.SentencePieceNormalizer(rule_name=_RULE)


def _read(path: Path) -> str:
    """The text of a file."""
    if path.suffix.lower() in _TABLES:
        raise InputError(f"{path} is a table; give its texts as a list: model.predict([text, ...]).")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is no text in UTF-8: {error}.") from error
