"""Batches made ahead are the same batches, and errors reach who waits for them."""

import threading
import time
from itertools import count, islice

import numpy as np
import pytest

from training.batches import ahead, shuffled


def test_the_same_batches_in_the_same_order():
    assert list(islice(ahead(iter(count())), 100)) == list(range(100))


def test_an_error_is_raised_where_the_batch_is_waited_for():
    def broken():
        yield 1
        raise ValueError("no more")

    batches = ahead(broken())
    assert next(batches) == 1
    with pytest.raises(ValueError, match="no more"):
        next(batches)


def test_the_thread_ends_when_nobody_asks_any_more():
    before = threading.active_count()
    batches = ahead(iter(count()))
    next(batches)
    batches.close()
    stop = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < stop:
        time.sleep(0.05)
    assert threading.active_count() == before


def test_batches_hold_examples_of_like_lengths_and_each_once():
    class Examples:
        lengths = np.random.default_rng(0).integers(1, 100, 640)

        def __len__(self):
            return 640

        def batch(self, indices, rng):
            return indices, None, None

    batches = [b[0] for b in islice(shuffled(Examples(), 16, 0, 40), 40)]
    assert sorted(np.concatenate(batches)) == list(range(640))
    spread = np.mean([np.ptp(Examples.lengths[b]) for b in batches])
    assert spread < 10
    order = [Examples.lengths[b].mean() for b in batches]
    assert abs(np.corrcoef(order, np.arange(40))[0, 1]) < 0.5  # not from short to long
