"""A text classifier: a bidirectional LSTM over subwords and pools of all it says, beside a linear model of
phrases."""

import keras
from keras import ops

from lstm_apps.layers import LSTM

_register = keras.saving.register_keras_serializable(package="lstm_apps")
# Of hashing: primes, and how much faster than all else the weights of phrases learn.
_SPREAD, _BESIDE, _PACE = 8191, 7919, 10.0


@_register
class AttentionAndMax(keras.layers.Layer):
    """The weighted mean of the steps, with weights that are learnt (Yang et al. 2016, without the hidden
    layer), beside the maximum of each feature. Steps that are masked do not count.

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
class Phrases(keras.layers.Layer):
    """A linear model of which pieces, pairs and triples of pieces stand in a text: what `LogisticRegression`
    of n-grams is, trained with the rest, and in the file.

    Each n-gram has its weights in one of `buckets` places (Weinberger et al. 2009: feature hashing); their
    sum is divided by the root of how many there are. 0 is padding, at the end.

    (batch, time) int32 -> (batch, outputs)

    Args:
        outputs: How many sums.
        longest: Pieces in the longest n-grams.
        buckets: Places for weights, up to 2**18, so that their numbers stay below 2**31.
    """

    def __init__(self, outputs, longest=3, buckets=2**18, **kwargs):
        super().__init__(**kwargs)
        if not 0 < buckets <= 2**18:
            raise ValueError(f"buckets is {buckets}, expected 1 to 2**18.")
        self.outputs, self.longest, self.buckets = outputs, longest, buckets

    def build(self, input_shape):
        self.table = self.add_weight(shape=(self.buckets, self.outputs), initializer="zeros", name="table")
        self.bias = self.add_weight(shape=(self.outputs,), initializer="zeros", name="bias")

    def call(self, tokens):
        place = tokens
        total = count = 0.0
        for n in range(1, self.longest + 1):
            if n > 1:
                place = (place[:, :-1] * _SPREAD + tokens[:, n - 1 :] + n * _BESIDE) % self.buckets
            there = ops.cast(tokens[:, n - 1 :] != 0, self.compute_dtype)[..., None]
            total += ops.sum(ops.take(self.table, place, axis=0) * there, axis=1)
            count += ops.sum(there, axis=1)
        # A weight moves by about the learning rate, and most n-grams are seen a few times only.
        return _PACE * total / ops.sqrt(ops.maximum(count, 1.0)) + self.bias

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
    """Build the classifier: the mean of `members` networks that are trained side by side, and of that and
    the linear model of `Phrases`, as Mesnil et al. (2014) found the two to complement each other.

    Input "tokens" (batch, time) int32, numbers of pieces, 0 for padding at the end. Outputs "log_odds" of
    being positive, (batch, 1), and "score", (batch, 1); for the losses, by which each learns by itself,
    "member_log_odds" and "member_scores", both (batch, members + 1), phrases last. `certainty` is the log
    odds of a score of 1.
    """
    tokens = keras.Input((None,), dtype="int32", name="tokens")

    def member(number: int):
        x = keras.layers.Embedding(vocabulary, embedding, mask_zero=True, name=f"embedding_{number}")(tokens)
        x = keras.layers.SpatialDropout1D(dropout / 2)(x)
        words = AttentionAndMax(name=f"words_{number}")(x)  # what single words say
        for i in range(layers):
            lstm = LSTM(units, return_sequences=True, name=f"lstm_{number}_{i + 1}")
            x = keras.layers.Bidirectional(lstm, name=f"both_ways_{number}_{i + 1}")(x)
        sentence = AttentionAndMax(name=f"sentence_{number}")(x)
        x = keras.layers.Dropout(dropout)(keras.layers.Concatenate()([sentence, words]))
        log_odds = keras.layers.Dense(1, name=f"log_odds_{number}")(x)
        return log_odds, keras.layers.Dense(1, name=f"score_{number}")(x)

    phrases = Phrases(2, name="phrases")(tokens)
    log_odds, scores = (
        ops.concatenate(list(parts), axis=1)
        for parts in zip(*map(member, range(1, members + 1)), (phrases[:, :1], phrases[:, 1:]), strict=True)
    )

    def together(answers):
        networks = ops.mean(answers[:, :members], axis=1, keepdims=True)
        return (networks + answers[:, members:]) / 2

    outputs = {
        # What both say: the class learns from what is certain, the score from how strong it is.
        "log_odds": together((log_odds + certainty * scores) / 2),
        "score": together(scores),
        "member_log_odds": log_odds,
        "member_scores": scores,
    }
    return keras.Model({"tokens": tokens}, outputs, name="text_classifier")
