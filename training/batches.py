"""Examples in batches: shuffled without end for training, in order for evaluation."""

import contextlib
import queue
import threading
from collections.abc import Iterator
from itertools import count
from typing import Any

import keras
import numpy as np

from lstm_apps.application import Examples

Batch = tuple[Any, Any, Any]  # inputs, targets, weights


def batches_an_epoch(examples: Examples, batch_size: int, steps: int | None) -> int:
    """`steps`, or as many as there are whole batches."""
    whole = max(1, len(examples) // batch_size)
    return min(steps or whole, whole)


def shuffled(examples: Examples, batch_size: int, seed: int, steps: int, epoch: int = 0) -> Iterator[Batch]:
    """Batches for training from `epoch` on, without end; `steps` of them are an epoch.

    Each epoch draws its order and each batch its augmentation from (seed, epoch, step), so that a
    resumed training sees what an uninterrupted one would have seen. Whole batches only, because
    another shape costs another compilation.
    """
    batch_size = min(batch_size, len(examples))
    for e in count(epoch):
        order = _order(examples, batch_size, np.random.default_rng((seed, e)))
        for step in range(steps):
            chosen = order[step * batch_size : (step + 1) * batch_size]
            yield examples.batch(chosen, np.random.default_rng((seed, e, step)))


@contextlib.contextmanager
def prefetch(batches: Iterator[Batch], count: int = 4) -> Iterator[Iterator[Batch]]:
    """Inside the `with` block, `batches`, made by a thread of their own, up to `count` of them before they
    are asked for. After it the thread has ended and whoever still waits for a batch gets none."""
    ready: queue.Queue[Batch | BaseException] = queue.Queue(count)
    stop = threading.Event()

    def put(item: Batch | BaseException) -> None:
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                return ready.put(item, timeout=0.1)

    def make() -> None:
        try:
            for batch in batches:
                put(batch)
                if stop.is_set():
                    return
        except BaseException as error:  # raised where the batch is waited for
            put(error)

    def taken() -> Iterator[Batch]:
        while not stop.is_set():
            try:
                item = ready.get(timeout=0.1)
            except queue.Empty:
                continue
            if isinstance(item, BaseException):
                raise item
            yield item

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        stop.set()
        thread.join()


_POOL = 32  # batches among which examples are sorted by length


def _order(examples: Examples, batch_size: int, rng: np.random.Generator) -> np.ndarray:
    """All examples in random order; those of like lengths beside each other, if they have lengths."""
    order = rng.permutation(len(examples))
    lengths = getattr(examples, "lengths", None)
    if lengths is None:
        return order
    size = _POOL * batch_size
    pools = [order[i : i + size] for i in range(0, len(order), size)]
    order = np.concatenate([pool[np.argsort(lengths[pool], kind="stable")] for pool in pools])
    whole = len(order) // batch_size * batch_size
    batches = rng.permutation(order[:whole].reshape(-1, batch_size))
    return np.concatenate([batches.ravel(), order[whole:]])


class InOrder(keras.utils.PyDataset):
    """All examples as they are."""

    def __init__(self, examples: Examples, batch_size: int):
        super().__init__()
        self.examples, self.batch_size = examples, batch_size

    def __len__(self) -> int:
        return -(-len(self.examples) // self.batch_size)

    def __getitem__(self, step: int) -> Batch:
        begin = step * self.batch_size
        chosen = np.arange(begin, min(begin + self.batch_size, len(self.examples)))
        return self.examples.batch(chosen, None)
