"""A text classifier: a bidirectional LSTM over subwords, and pools of all it says."""

import keras
from keras import ops

from lstm_apps.layers import LSTM

_register = keras.saving.register_keras_serializable(package="lstm_apps")
# How fast a score, from -4 to 4, turns into certainty: the log odds of a score of 1.
CERTAINTY = 1.5


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


def text_classifier(
    *, vocabulary: int, units: int, layers: int, dropout: float, members: int, embedding: int = 96
) -> keras.Model:
    """Build the classifier: the mean of `members` networks that are trained side by side.

    Input "tokens" (batch, time) int32, numbers of pieces, 0 for padding at the end. Outputs "log_odds" of
    being positive, (batch, 1), and "score", (batch, 1); for the losses "member_log_odds" and
    "member_scores", both (batch, members).
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

    log_odds, scores = (
        ops.concatenate(list(parts), axis=1)
        for parts in zip(*map(member, range(1, members + 1)), strict=True)
    )
    outputs = {
        # What both say: the class learns from what is certain, the score from how strong it is.
        "log_odds": ops.mean((log_odds + CERTAINTY * scores) / 2, axis=1, keepdims=True),
        "score": ops.mean(scores, axis=1, keepdims=True),
        "member_log_odds": log_odds,
        "member_scores": scores,
    }
    return keras.Model({"tokens": tokens}, outputs, name="text_classifier")
