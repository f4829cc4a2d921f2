"""A training that somebody interrupts."""

from contextlib import contextmanager

import keras
import pytest

from training.fit import fit


@contextmanager
def _stopped_after(batches):
    """`keras.Model.fit` as if Ctrl-C came after so many batches."""
    original = keras.Model.fit

    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == batches:
                raise KeyboardInterrupt

    def interrupted(self, *args, callbacks, **kwargs):
        return original(self, *args, callbacks=[*callbacks, Interrupt()], **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "fit", interrupted)
        yield


def fit_in_two_parts(config, folder, batches):
    """As `fit`, interrupted after `batches` and resumed."""
    with _stopped_after(batches), pytest.raises(KeyboardInterrupt):
        fit(config, folder, verbose=0)
    return fit(config, folder, resume=True, verbose=0)
