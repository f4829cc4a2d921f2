"""Prefetched batches are the same batches, and errors reach who waits for them."""

import threading
from itertools import count, islice

import numpy as np
import pytest

from training.batches import prefetch, shuffled


def test_the_same_batches_in_the_same_order():
    with prefetch(iter(count())) as batches:
        assert list(islice(batches, 100)) == list(range(100))


def test_an_error_is_raised_where_the_batch_is_waited_for():
    def broken():
        yield 1
        raise ValueError("no more")

    with prefetch(broken()) as batches:
        assert next(batches) == 1
        with pytest.raises(ValueError, match="no more"):
            next(batches)


def test_after_the_block_its_thread_has_ended_and_who_waits_gets_no_batch():
    before = threading.active_count()
    with prefetch(iter(count())) as batches:
        next(batches)
    assert threading.active_count() == before
    assert next(batches, None) is None


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
