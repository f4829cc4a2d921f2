"""Features of a text classifier: text to subword numbers, and the model's outputs to an opinion."""

import base64
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from lstm_apps.errors import InputError, first_line
from lstm_apps.features.options import Options

Arrays = dict[str, np.ndarray]
PADDING, UNKNOWN = 0, 1
_RULE = "nmt_nfkc_cf"  # how text is normalised: Unicode NFKC, without case
_LONGEST = 1_000_000  # characters; more is no text that a person would read
LABELS = ("negative", "positive")
_TABLES = (".csv", ".tsv", ".jsonl", ".json")
_REPETITION = re.compile(r"(.+?)\1+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True)
class TextFeatures:
    """From a text to pieces of its sentences, as numbers, and back to an answer.

    The subword vocabulary is a SentencePiece model (Kudo & Richardson 2018), whole, so that C++,
    JavaScript and `tensorflow_text.SentencepieceTokenizer` read the same one.
    """

    sentencepiece: str  # the serialised model, base64
    lengths: tuple[int, ...]  # in pieces, ascending: a sentence is padded to the next; the last is the most

    kind: ClassVar[str] = "text"
    options: ClassVar[Options] = {}

    def __post_init__(self) -> None:
        if not self.lengths or sorted({*self.lengths, 0}) != [0, *self.lengths]:
            raise ValueError(f"lengths {self.lengths} do not ascend from 1")

    @classmethod
    def fit(cls, texts: Iterable[str], *, vocabulary: int, lengths: tuple[int, ...]) -> Self:
        """Train the vocabulary on the training part: unigram pieces without case, bytes for what is rare."""
        import io

        import sentencepiece

        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(texts),
                model_writer=model,
                vocab_size=vocabulary,
                model_type="unigram",
                hard_vocab_limit=False,  # a small text has fewer pieces
                byte_fallback=True,
                character_coverage=0.9995,
                normalization_rule_name=_RULE,
                pad_id=PADDING,
                unk_id=UNKNOWN,
                bos_id=-1,
                eos_id=-1,
                max_sentence_length=_LONGEST,  # in bytes; longer ones it would pass over
                num_threads=1,  # more of them find another vocabulary each time
                minloglevel=2,
            )
        except RuntimeError as error:
            raise InputError(f"There is too little text to make a vocabulary of: {error}") from error
        return cls(base64.b64encode(_without_repetitions(model.getvalue())).decode(), lengths)

    @property
    def length(self) -> int:
        """Pieces of a sentence that the model reads at most."""
        return self.lengths[-1]

    @cached_property
    def processor(self) -> Any:
        """The vocabulary, `sentencepiece.SentencePieceProcessor`."""
        try:
            import sentencepiece
        except ImportError as error:
            raise InputError("Reading text needs sentencepiece: pip install 'lstm-apps[text]'.") from error
        try:
            return sentencepiece.SentencePieceProcessor(model_proto=base64.b64decode(self.sentencepiece))
        except (RuntimeError, ValueError) as error:
            raise InputError(f"The model's vocabulary is damaged: {first_line(error)}") from error

    def parts(self, text: str) -> list[list[int]]:
        """The numbers of a text's pieces, all together where they are at most `length`, as in training;
        else those of each sentence, of which one of more than `length` is cut into several."""
        check_text(text)
        if not text.strip():
            raise InputError("The text is empty.")
        if not (whole := self.processor.encode(text)):
            raise InputError("The text holds no letter, digit or sign.")
        if len(whole) <= self.length:
            return [whole]
        encoded = (self.processor.encode(s) for s in _SENTENCE_END.split(text) if s.strip())
        return [e[i : i + self.length] for e in encoded for i in range(0, len(e), self.length)]

    def padded(self, parts: Sequence[Sequence[int]], length: int | None = None) -> np.ndarray:
        """(parts, length) int32, zeros after the last piece; by default of the model's length."""
        tokens = np.full((len(parts), length or self.length), PADDING, np.int32)
        for row, pieces in zip(tokens, parts, strict=True):
            row[: len(pieces)] = pieces[: len(row)]
        return tokens

    def answers(self, run: Callable[[Arrays], Arrays], parts: Sequence[Sequence[int]]) -> np.ndarray:
        """(parts, 2): of each the log odds of being positive, and the score. Like lengths go together."""
        of = np.minimum(np.searchsorted(self.lengths, [len(p) for p in parts]), len(self.lengths) - 1)
        found = np.zeros((len(parts), 2), np.float32)
        for i in np.unique(of).tolist():
            mine = np.flatnonzero(of == i).tolist()
            outputs = run({"tokens": self.padded([parts[k] for k in mine], self.lengths[i])})
            found[mine] = np.concatenate([outputs["log_odds"], outputs["score"]], axis=1)
        return found

    def opinions(self, run: Callable[[Arrays], Arrays], texts: Sequence[str]) -> np.ndarray:
        """(texts, 2): log odds of being positive, and the score; of each text the mean over its parts."""
        split = [self.parts(t) for t in texts]
        found = self.answers(run, [part for parts in split for part in parts])
        ends = np.cumsum([len(parts) for parts in split])
        return np.stack([part.mean(axis=0) for part in np.split(found, ends[:-1])])

    def predict(self, run: Callable[[Arrays], Arrays], raw: Any) -> dict[str, Any]:
        """What a text says of its subject.

        Args:
            run: The model: named inputs to named outputs.
            raw: A text of any number of sentences; or the `Path` of a text file; or a list of texts.

        Returns:
            "label" ("positive" or "negative"), "probability" of being positive, "score" from -4 to 4; of a
            list an array of each, (texts,).
        """
        texts = list(raw) if isinstance(raw, list | tuple) else [_read(raw) if isinstance(raw, Path) else raw]
        if not texts:
            raise InputError("The list of texts is empty.")
        log_odds, score = self.opinions(run, texts).T
        found = {
            "label": np.where(log_odds > 0, *reversed(LABELS)),
            "probability": 1 / (1 + np.exp(-log_odds)),
            "score": np.clip(score, -4, 4),
        }
        return found if isinstance(raw, list | tuple) else {name: a[0].item() for name, a in found.items()}

    def stream(self, stream: Any) -> Any:
        raise InputError("A text is read in both directions: it is not streamed.")

    def about(self) -> dict[str, Any]:
        return {"labels": list(LABELS)}

    def to_dict(self) -> dict:
        return {"sentencepiece": self.sentencepiece, "lengths": list(self.lengths)}

    @classmethod
    def from_dict(cls, data: dict) -> Self:
        return cls(data["sentencepiece"], tuple(data["lengths"]))


def _without_repetitions(model: bytes) -> bytes:
    """A serialised SentencePiece model that does not use pieces like "!!" or "haha".

    "!!!" as "!!" and "!" is as likely as "!" and "!!"; which one it is, implementations differ in.
    """
    from sentencepiece.sentencepiece_model_pb2 import ModelProto  # type: ignore[attr-defined]

    proto = ModelProto.FromString(model)
    for piece in proto.pieces:
        if piece.type == piece.NORMAL and _REPETITION.fullmatch(piece.piece):
            piece.type = piece.UNUSED
    return proto.SerializeToString()


def check_text(text: Any) -> None:
    """InputError of what is no text, or none that could be read."""
    if not isinstance(text, str):
        raise InputError(f"A text is a string, got {type(text).__name__}.")
    if any("\ud800" <= c <= "\udfff" for c in text):
        raise InputError("The text holds half a character: it was not decoded as the UTF-8 it is not.")
    if len(text) > _LONGEST:
        raise InputError(f"The text has {len(text):,} characters, at most {_LONGEST:,} are read.")


def is_read(text: str) -> bool:
    """Whether anything of a text is left when it is normalised: not of control characters and the like."""
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
