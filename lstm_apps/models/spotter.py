"""A keyword spotter: causal convolutions over a log-mel spectrogram, LSTMs, a spike where a word ends."""

import keras
from keras import ops

from lstm_apps.features.mel import LogMel
from lstm_apps.layers import LSTM, LeftContext
from lstm_apps.models.frontend import FreqMixStyle, SpecAugment, log_mel


@keras.saving.register_keras_serializable(package="lstm_apps")
class SpikeLoss(keras.losses.Loss):
    """Negative log-likelihood of each word in exactly one frame of its window, and of none elsewhere:
    connectionist temporal classification (Graves et al. 2006) with alignments of one frame, of which
    the sum is closed. The windows, around the ends of words, keep a model from settling on a frame at
    which it cannot know the word yet, and make it answer in time.

    Targets (batch, most words, 3): word from 1, or 0 for none, first frame of its window and the frame
    after its last. Predictions (batch, frames, members, 1 + words): logits, of which 0 is the blank, no word
    here. The mean over members.
    """

    def call(self, y_true, y_pred):
        word, first, end = (part[..., 0] for part in ops.split(ops.cast(y_true, "int32"), 3, axis=-1))
        nothing = ops.sum(ops.log_softmax(y_pred)[..., 0], axis=1)  # (batch, members): no word anywhere
        odds = y_pred - y_pred[..., :1]  # log odds of each word against none
        spoken = ops.take_along_axis(odds, word[:, None, None], axis=3)  # (batch, frames, members, most words)
        frame = ops.arange(ops.shape(y_pred)[1])[:, None]
        inside = (frame >= first[:, None]) & (frame < end[:, None])  # (batch, frames, most words)
        gained = ops.logsumexp(ops.where(inside[:, :, None], spoken, -1e4), axis=1)
        gained = ops.sum(ops.where(word[:, None] > 0, gained, 0.0), axis=2)  # (batch, members)
        return -ops.mean(nothing + gained, axis=1)


def spotter(
    *,
    spectrogram: LogMel,
    mean,
    variance,
    words: int,
    units: int,
    layers: int,
    dropout: float,
    members: int,
) -> keras.Model:
    """Build the spotter: the mean of `members` networks that are trained side by side.

    Input "waveform" (batch, samples), from -1 to 1; a frame is `spectrogram.hop` samples. Outputs: "frames"
    (batch, frames, 1 + words), probabilities of each word being recognised there, after that of none; and
    "probabilities" (batch, words), of each word being the one in a recording of one. For the losses
    "member_logits" (batch, frames, members, 1 + words) and "member_probabilities" (batch, members, words).

    The two convolutions over time and frequency, pooled over frequency, make what follows indifferent to
    how long a speaker's vocal tract is. Nothing looks ahead. The probabilities are from the logits at all
    frames; the blank takes no part: what tells words apart in a whole recording need not be sure of when.
    """
    waveform = keras.Input((None,), name="waveform")
    spectrum = log_mel(waveform, spectrogram, mean, variance)

    def member(number: int):
        x = FreqMixStyle(name=f"mix_style_{number}")(spectrum)
        x = SpecAugment(name=f"augment_{number}")(x)
        x = ops.expand_dims(x, -1)
        for i, (filters, bands, stride) in enumerate([(16, 5, 2), (32, 3, 1)], start=1):
            x = LeftContext(2, name=f"context_{number}_{i}")(x)
            x = keras.layers.Conv2D(filters, (3, bands), strides=(1, stride), name=f"conv_{number}_{i}")(x)
            x = keras.layers.BatchNormalization(name=f"norm_{number}_{i}")(x)
            x = keras.layers.ReLU()(x)
            x = keras.layers.MaxPooling2D((1, 2), name=f"pool_{number}_{i}")(x)
        x = keras.layers.Reshape((-1, x.shape[2] * x.shape[3]))(x)
        for i in range(layers):
            x = keras.layers.Dropout(dropout)(x)
            x = LSTM(units, return_sequences=True, name=f"lstm_{number}_{i + 1}")(x)
        x = keras.layers.Dropout(dropout)(x)
        return keras.layers.Dense(1 + words, name=f"logits_{number}")(x)

    logits = [member(k) for k in range(1, members + 1)]
    frames = [ops.softmax(z) for z in logits]
    probabilities = [ops.softmax(ops.logsumexp(z[:, :, 1:], axis=1)) for z in logits]
    outputs = {
        "frames": ops.mean(ops.stack(frames, axis=2), axis=2),
        "probabilities": ops.mean(ops.stack(probabilities, axis=1), axis=1),
        "member_logits": ops.stack(logits, axis=2),
        "member_probabilities": ops.stack(probabilities, axis=1),
    }
    return keras.Model({"waveform": waveform}, outputs, name="spotter")
