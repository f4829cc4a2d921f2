"""Examples in shuffled batches, the same ones for the same seed and epoch."""

import keras
import numpy as np

from lstm_apps.application import Examples


class Batches(keras.utils.PyDataset):
    """Feeds examples to Keras.

    In training each epoch draws its own order and augmentation from (seed, epoch), so that a
    resumed training sees what an uninterrupted one would have seen. Whole batches only, because
    another shape costs another compilation.

    Args:
        examples: What to feed.
        batch_size: Examples a batch.
        seed: For training; None keeps the order, the last batch and the examples as they are.
        steps: Batches an epoch; None: all.
        epoch: The first epoch's number.
    """

    def __init__(self, examples: Examples, batch_size: int, seed=None, steps=None, epoch=0):
        super().__init__()
        self.examples, self.seed, self.epoch = examples, seed, epoch
        self.batch_size = min(batch_size, len(examples))
        whole = len(examples) // self.batch_size
        self.steps = -(-len(examples) // self.batch_size) if seed is None else min(steps or whole, whole)
        self._draw()

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int):
        chosen = self.order[step * self.batch_size : (step + 1) * self.batch_size]
        rng = None if self.seed is None else np.random.default_rng((self.seed, self.epoch, step))
        return self.examples.batch(chosen, rng)

    def on_epoch_end(self) -> None:
        self.epoch += 1
        self._draw()

    def _draw(self) -> None:
        self.order = np.arange(len(self.examples))
        if self.seed is not None:
            np.random.default_rng((self.seed, self.epoch)).shuffle(self.order)
