"""Texts to token numbers in TensorFlow, for a graph that is served."""

import base64

import tensorflow as tf
import tensorflow_text


class Tokenizer(tf.Module):
    """The same tokens as `TextFeatures.padded`, by `tensorflow_text.SentencepieceTokenizer`.

    Args:
        sentencepiece: The vocabulary, a serialised SentencePiece model in base64.
        length: Tokens that are read; more are cut off.
        padding, unknown: Numbers of these tokens.
    """

    def __init__(self, sentencepiece: str, length: int, padding: int, unknown: int):
        super().__init__()
        self._tokenizer = tensorflow_text.SentencepieceTokenizer(model=base64.b64decode(sentencepiece))
        self._length, self._padding, self._unknown = length, padding, unknown

    def __call__(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """(batch,) strings to "tokens", (batch, length) int32; an empty text is one unknown token."""
        tokens = self._tokenizer.tokenize(text).to_tensor(self._padding, shape=(None, self._length))
        first = tf.maximum(tokens[:, :1], self._unknown)
        return {"tokens": tf.concat([first, tokens[:, 1:]], axis=1)}
