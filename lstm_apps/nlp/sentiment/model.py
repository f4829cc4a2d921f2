"""A text classifier: bidirectional LSTMs over tokens with attention and max pooling, averaged with a linear
model of hashed n-grams."""

from typing import Any

import keras
from keras import ops

from lstm_apps.layers import LSTM
from lstm_apps.models import ensemble

_register = keras.saving.register_keras_serializable(package="lstm_apps")
# Primes of the hash, and the learning rate of n-gram weights relative to all others.
_PRIME, _OFFSET, _RATE = 8191, 7919, 10.0


@_register
class AttentionAndMax(keras.layers.Layer):
    """Attention pooling (Yang et al. 2016, without the hidden layer) and max pooling over time, concatenated.
    Masked steps do not count.

    (batch, time, features) -> (batch, 2 * features)
    """

    supports_masking = True

    def build(self, input_shape):
        self.query = self.add_weight(shape=(input_shape[-1], 1), name="query")

    def call(self, x, mask=None):
        away = 0.0 if mask is None else 1e4 * (1.0 - ops.cast(mask, x.dtype))[..., None]
        attention = ops.softmax(ops.matmul(x, self.query) - away, axis=1)
        return ops.concatenate([ops.sum(attention * x, axis=1), ops.max(x - away, axis=1)], axis=-1)

    def compute_mask(self, inputs, mask=None):
        return None


@_register
class HashedNGrams(keras.layers.Layer):
    """A linear model of the n-grams of a text, like `LogisticRegression` of n-gram counts, but in the graph.

    Each n-gram of 1 to `longest` tokens is hashed to one of `buckets` rows of weights (feature hashing,
    Weinberger et al. 2009). The sum of the rows is divided by the root of the number of n-grams. Token 0 is
    padding, at the end.

    (batch, time) int32 -> (batch, outputs)

    Args:
        outputs: Numbers for each text.
        longest: Tokens of the longest n-grams.
        buckets: Rows of weights, up to 2**18, so that hashes stay below 2**31.

    Raises:
        ValueError: `buckets` is out of range.
    """

    def __init__(self, outputs: int, longest: int = 3, buckets: int = 2**18, **kwargs: Any):
        super().__init__(**kwargs)
        if not 0 < buckets <= 2**18:
            raise ValueError(f"buckets is {buckets}, expected 1 to 2**18.")
        self.outputs, self.longest, self.buckets = outputs, longest, buckets

    def build(self, input_shape):
        self.table = self.add_weight(shape=(self.buckets, self.outputs), initializer="zeros", name="table")
        self.bias = self.add_weight(shape=(self.outputs,), initializer="zeros", name="bias")

    def call(self, tokens):
        bucket = tokens
        total = count = 0.0
        for n in range(1, self.longest + 1):
            if n > 1:
                bucket = (bucket[:, :-1] * _PRIME + tokens[:, n - 1 :] + n * _OFFSET) % self.buckets
            there = ops.cast(tokens[:, n - 1 :] != 0, self.compute_dtype)[..., None]
            total += ops.sum(ops.take(self.table, bucket, axis=0) * there, axis=1)
            count += ops.sum(there, axis=1)
        # An update moves a weight by about the learning rate, and most n-grams occur a few times only.
        return _RATE * total / ops.sqrt(ops.maximum(count, 1.0)) + self.bias

    def get_config(self):
        names = ("outputs", "longest", "buckets")
        return {**super().get_config(), **{n: getattr(self, n) for n in names}}


def text_classifier(
    *,
    vocabulary: int,
    units: int,
    layers: int,
    dropout: float,
    members: int,
    certainty: float,
    embedding: int = 96,
) -> keras.Model:
    """Build the classifier: the mean of an ensemble of LSTMs and of a linear model of hashed n-grams; Mesnil
    et al. (2014) found that the two complement each other.

    Input "tokens" (batch, time) int32 token numbers, 0 for padding at the end. Outputs "log_odds" of being
    positive, (batch, 1), and "score", (batch, 1); for the losses "member_log_odds" and "member_scores", both
    (batch, members + 1), n-grams last, so that each member learns by itself.

    Args:
        vocabulary: Number of tokens.
        units: Of each LSTM, in each direction.
        layers: LSTMs of a member.
        dropout: Rate, 0 to 1.
        members: LSTM networks of the ensemble.
        certainty: Log odds of a score of 1.
        embedding: Size of token embeddings.
    """
    tokens = keras.Input((None,), dtype="int32", name="tokens")

    def member(number: int):
        x = keras.layers.Embedding(vocabulary, embedding, mask_zero=True, name=f"embedding_{number}")(tokens)
        x = keras.layers.SpatialDropout1D(dropout / 2)(x)
        words = AttentionAndMax(name=f"words_{number}")(x)  # of single tokens, without context
        for i in range(layers):
            lstm = LSTM(units, return_sequences=True, name=f"lstm_{number}_{i + 1}")
            x = keras.layers.Bidirectional(lstm, name=f"both_ways_{number}_{i + 1}")(x)
        sentence = AttentionAndMax(name=f"sentence_{number}")(x)
        x = keras.layers.Dropout(dropout)(keras.layers.Concatenate()([sentence, words]))
        log_odds = keras.layers.Dense(1, name=f"log_odds_{number}")(x)
        return log_odds, keras.layers.Dense(1, name=f"score_{number}")(x)

    ngrams = HashedNGrams(2, name="ngrams")(tokens)
    outputs_of_all = [*ensemble.members(member, members), (ngrams[:, :1], ngrams[:, 1:])]
    log_odds, scores = (ops.concatenate(list(parts), axis=1) for parts in zip(*outputs_of_all, strict=True))

    def averaged(outputs):
        networks = ops.mean(outputs[:, :members], axis=1, keepdims=True)
        return (networks + outputs[:, members:]) / 2

    outputs = {
        # The mean of both heads: one learns the class, the other the strength.
        "log_odds": averaged((log_odds + certainty * scores) / 2),
        "score": averaged(scores),
        "member_log_odds": log_odds,
        "member_scores": scores,
    }
    return keras.Model({"tokens": tokens}, outputs, name="text_classifier")
