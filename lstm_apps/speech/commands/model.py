"""A keyword spotter: causal convolutions over a log-mel spectrogram, LSTMs, and a spike where a word ends."""

from collections.abc import Sequence

import keras
from keras import ops

from lstm_apps.features.mel import LogMel
from lstm_apps.layers import LSTM, LeftContext
from lstm_apps.models.frontend import SpecAugment, log_mel
from lstm_apps.speech.commands.familiarity import Familiarity


@keras.saving.register_keras_serializable(package="lstm_apps")
class SpikeLoss(keras.losses.Loss):
    """Negative log-likelihood of each word in exactly one frame of its window, and of none elsewhere:
    connectionist temporal classification (Graves et al. 2006) with alignments of one frame, of which
    the sum has a closed form. The windows, around the ends of words, keep spikes from frames before the word
    is known, and from late ones.

    Targets (batch, most words, 3): word from 1, or 0 for none, first frame of its window and the frame
    after its last. Predictions (batch, frames, 1 + words): logits; index 0 is the blank.
    """

    def call(self, y_true, y_pred):
        word, first, end = (part[..., 0] for part in ops.split(ops.cast(y_true, "int32"), 3, axis=-1))
        nothing = ops.sum(ops.log_softmax(y_pred)[..., 0], axis=1)  # (batch,): log-probability of no word
        odds = y_pred - y_pred[..., :1]  # log odds of each word against none, (batch, frames, 1 + words)
        spoken = ops.take_along_axis(odds, word[:, None], axis=2)  # (batch, frames, most words)
        frame = ops.arange(ops.shape(y_pred)[1])[:, None]
        inside = (frame >= first[:, None]) & (frame < end[:, None])
        gained = ops.logsumexp(ops.where(inside, spoken, -1e4), axis=1)  # (batch, most words)
        return -nothing - ops.sum(ops.where(word > 0, gained, 0.0), axis=1)


def spotter(
    *,
    spectrogram: LogMel,
    mean: Sequence[float],
    variance: Sequence[float],
    words: int,
    units: int,
    layers: int,
    dropout: float,
    varied: float,
) -> keras.Model:
    """Build the spotter.

    Input "waveform" (batch, samples), from -1 to 1; a frame is `spectrogram.hop` samples. Outputs:
    "logits" (batch, frames, 1 + words), for `SpikeLoss`; "frames", their softmax; "probabilities"
    (batch, words), of each word in a recording of one, from the logits of all frames but without the blank;
    and "known" (batch, 1), the familiarity, 0 to 1. The model is causal.

    Two convolutions over time and frequency with pooling over frequency make the model robust to the length
    of a speaker's vocal tract.

    Args:
        spectrogram: Of the model.
        mean, variance: (bands,) of the scaler.
        words: Number of words.
        units: Of each LSTM.
        layers: LSTMs.
        dropout: Rate, 0 to 1.
        varied: Share of the training examples with SpecAugment.
    """
    waveform = keras.Input((None,), name="waveform")
    x = log_mel(waveform, spectrogram, mean, variance)
    x = SpecAugment(share=varied, name="augment")(x)
    x = ops.expand_dims(x, -1)
    for i, (filters, bands, stride) in enumerate([(16, 5, 2), (32, 3, 1)]):
        x = LeftContext(2, name=f"context_{i + 1}")(x)
        x = keras.layers.Conv2D(filters, (3, bands), strides=(1, stride), name=f"conv_{i + 1}")(x)
        x = keras.layers.BatchNormalization(name=f"norm_{i + 1}")(x)
        x = keras.layers.ReLU()(x)
        x = keras.layers.MaxPooling2D((1, 2), name=f"pool_{i + 1}")(x)
    x = keras.layers.Reshape((-1, x.shape[2] * x.shape[3]))(x)
    for i in range(layers):
        x = keras.layers.Dropout(dropout)(x)
        x = LSTM(units, return_sequences=True, name=f"lstm_{i + 1}")(x)
    hidden = x
    x = keras.layers.Dropout(dropout)(x)
    logits = keras.layers.Dense(1 + words, name="logits")(x)
    spikes = ops.logsumexp(logits[:, :, 1:], axis=1)
    # The hidden state at the frames with a word, (batch, units).
    when = ops.softmax(ops.logsumexp(logits[:, :, 1:], axis=2), axis=1)
    memory = ops.sum(when[:, :, None] * hidden, axis=1)
    outputs = {
        "known": Familiarity(words, name="known", dtype="float32")(memory),
        "logits": logits,
        "frames": keras.layers.Softmax(name="frames")(logits),
        "probabilities": keras.layers.Softmax(name="probabilities")(spikes),
    }
    return keras.Model({"waveform": waveform}, outputs, name="spotter")
