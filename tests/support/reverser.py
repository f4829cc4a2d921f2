"""A toy generator: an encoder-decoder that learns to write a word backwards."""

import json
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import ClassVar

import numpy as np

from lstm_apps.application import Application, Data
from lstm_apps.errors import InputError
from lstm_apps.features.options import Option
from lstm_apps.metrics.bootstrap import Metric, proportion

LETTERS = "abcdef"
LONGEST = 6
PADDING, BEGIN, END = 0, 1, 2
EXACT = Metric("exact", "higher", "share of words that come out backwards, letter by letter")


@dataclass(frozen=True)
class WordFeatures:
    """Letters to numbers and back; the alphabet is bytes, as a vocabulary is."""

    alphabet: bytes

    kind: ClassVar[str] = "words"
    options: ClassVar = {"max_length": Option(int, "most letters to write")}

    def encode(self, word: str) -> np.ndarray:
        """(1, LONGEST) int32, right-padded."""
        if not word or len(word) > LONGEST or not set(word) <= set(self.alphabet.decode()):
            raise InputError(f"{word!r}, expected 1 to {LONGEST} of the letters {self.alphabet.decode()}.")
        ids = [3 + self.alphabet.decode().index(letter) for letter in word]
        return np.array([ids + [PADDING] * (LONGEST - len(ids))], np.int32)

    def predict(self, run, raw, *, max_length=LONGEST):
        (found,) = self.greedy(run, [raw], max_length)
        return {"text": "".join(self.alphabet.decode()[i - 3] for i in found)}

    def greedy(self, run, words: list[str], max_length: int = LONGEST) -> list[list[int]]:
        """Letters of each word, the likeliest at each step. All at once: a call of Keras takes a while."""
        state = run({"source": np.concatenate([self.encode(word) for word in words])}, graph="encoder")
        tokens = [np.full((len(words), 1), BEGIN, np.int32)]
        for _ in range(max_length):
            out = run({"token": tokens[-1], **state}, graph="decoder")
            tokens.append(out["logits"].argmax(axis=-1).astype(np.int32).reshape(-1, 1))
            state |= {"h": out["h_next"], "c": out["c_next"]}
        return [list(takewhile(lambda token: token > END, row)) for row in np.hstack(tokens)[:, 1:].tolist()]

    def stream(self, stream):
        raise InputError("A word is read whole.")

    def about(self) -> dict:
        return {"letters": self.alphabet.decode()}

    def to_dict(self) -> dict:
        return {"alphabet": self.alphabet}

    @classmethod
    def from_dict(cls, data: dict) -> "WordFeatures":
        return cls(**data)


class Words:
    """Examples: a word, and the word backwards, for teacher forcing."""

    def __init__(self, features: WordFeatures, words: list[str]):
        self.sources = np.concatenate([features.encode(w) for w in words])
        turned = [features.encode(w[::-1])[0] for w in words]
        self.after = np.stack([np.append(t, PADDING) for t in turned])  # what follows each step, END included
        for row, word in zip(self.after, words, strict=True):
            row[len(word)] = END
        self.before = np.concatenate([np.full((len(words), 1), BEGIN), self.after[:, :-1]], axis=1)

    def __len__(self) -> int:
        return len(self.sources)

    def batch(self, indices, rng):
        inputs = {"source": self.sources[indices], "target": self.before[indices].astype(np.int32)}
        weights = (self.after[indices] != PADDING).astype(np.float32)
        return inputs, {"logits": self.after[indices]}, {"logits": weights}


class Reverser(Application):
    name = "reverser"
    domain = "test"
    summary = "Write a word backwards"
    dataset = "none"
    layout = "JSON: a list of words"
    roles: ClassVar = {}
    metrics = (EXACT,)
    outputs = ()
    right_padded = True
    baselines = ("the word itself",)
    presets: ClassVar = {"quick": {"epochs": 3, "batch_size": 64, "learning_rate": 1e-2}}
    model_module = "keras"

    def load(self, request):
        words = json.loads(Path(request.path).read_text())
        parts = words[:-120], words[-120:-60], words[-60:]
        return Data(*parts, provenance={"source": "words", "sha256": "0" * 64})

    def fit_features(self, data):
        return WordFeatures(LETTERS.encode())

    def examples(self, features, records):
        return Words(features, records)

    def build(self, features, *, units, layers, dropout):
        import keras

        from lstm_apps.layers import LSTM

        size = 3 + len(LETTERS)
        source = keras.Input((LONGEST,), dtype="int32", name="source")
        target = keras.Input((None,), dtype="int32", name="target")
        letters = keras.layers.Embedding(size, 8, mask_zero=True, name="source_letters")(source)
        both = keras.layers.Bidirectional(LSTM(units, return_sequences=True, name="read"), name="both_ways")
        memory = both(letters)
        valid = keras.ops.cast(source != PADDING, "float32")
        mean = keras.ops.sum(memory * valid[..., None], axis=1) / keras.ops.sum(valid, axis=1, keepdims=True)
        h, c = (keras.layers.Dense(units, "tanh", name=name)(mean) for name in ("first_h", "first_c"))
        logits, _, _ = self._decoder(size, units)(target, h, c, memory, valid)
        return keras.Model({"source": source, "target": target}, {"logits": logits}, name="reverser")

    def _decoder(self, size, units):
        """The layers of the decoder as a function of tokens, states, memory and its mask."""
        import keras

        from lstm_apps.layers import LSTM

        embedding = keras.layers.Embedding(size, 8, name="target_letters")
        lstm = LSTM(units, return_sequences=True, return_state=True, name="write")
        query = keras.layers.Dense(2 * units, use_bias=False, name="query")
        out = keras.layers.Dense(size, name="out")

        def decode(tokens, h, c, memory, valid):
            hidden, h, c = lstm(embedding(tokens), initial_state=[h, c])
            scores = keras.ops.matmul(query(hidden), keras.ops.transpose(memory, (0, 2, 1)))
            attention = keras.ops.softmax(scores - 1e4 * (1 - valid[:, None]), axis=-1)
            context = keras.ops.matmul(attention, memory)
            return out(keras.layers.Concatenate()([hidden, context])), h, c

        return decode

    def loss(self, features):
        import keras

        return {"logits": keras.losses.SparseCategoricalCrossentropy(from_logits=True)}

    def graphs(self, model, features):
        import keras

        units = model.get_layer("write").units
        memory = model.get_layer("both_ways").output
        h, c = model.get_layer("first_h").output, model.get_layer("first_c").output
        source = model.input["source"]
        encoder = keras.Model(
            {"source": source},
            {"memory": memory, "h": h, "c": c, "valid": keras.ops.cast(source != PADDING, "float32")},
        )
        token = keras.Input((1,), dtype="int32", name="token")
        states = [keras.Input((units,), name=name) for name in ("h", "c")]
        memory = keras.Input((LONGEST, 2 * units), name="memory")
        valid = keras.Input((LONGEST,), name="valid")
        decode = self._decoder(3 + len(LETTERS), units)
        logits, h, c = decode(token, *states, memory, valid)
        decoder = keras.Model(
            {"token": token, "h": states[0], "c": states[1], "memory": memory, "valid": valid},
            {"logits": logits[:, 0], "h_next": h, "c_next": c},
        )
        for name in ("target_letters", "write", "query", "out"):
            decoder.get_layer(name).set_weights(model.get_layer(name).get_weights())
        return {"encoder": encoder, "decoder": decoder}

    def parity_inputs_of_graphs(self, features, data, run):
        sources = {"source": np.concatenate([features.encode(word) for word in data.test[:16]])}
        read = run(sources, graph="encoder")
        return {"encoder": sources, "decoder": {"token": np.full((16, 1), BEGIN, np.int32), **read}}

    def generated(self, features, data, run, count):
        return features.greedy(run, data.test[:count])

    def score(self, features, data, run):
        turned = [[int(i) for i in features.encode(word[::-1])[0] if i] for word in data.test]
        right = [a == b for a, b in zip(features.greedy(run, data.test), turned, strict=True)]
        return {EXACT.name: proportion(np.array(right))}

    def baseline_predictions(self, features, data):
        yield "the word itself", data.test

    def score_baseline(self, features, data, name, predictions):
        right = [found == word[::-1] for found, word in zip(predictions, data.test, strict=True)]
        return {EXACT.name: proportion(np.array(right))}

    def plots(self, features, data, run):
        return []

    def output_scale(self, features):
        return 1.0

    def sample_input(self, features, data):
        return data.test[0]


REVERSER = Reverser()


def words(count: int = 2000, seed: int = 0) -> list[str]:
    """Random words, none twice."""
    rng = np.random.default_rng(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(rng.choice(list(LETTERS), rng.integers(2, LONGEST + 1)))] = None
    return list(found)
