"""Tests marked pairwise lose combinations of parameters, and no pair of them."""

from itertools import combinations, product

from hypothesis import given
from hypothesis import strategies as st
from pairwise import pairwise


@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4), seed=st.randoms(use_true_random=False))
def test_every_pair_and_every_value_is_kept(sizes, seed):
    grid = [dict(enumerate(values)) for values in product(*map(range, sizes))]
    rows = [row for row in grid if seed.random() < 0.8]  # some combinations there are not
    kept = [rows[i] for i in sorted(pairwise(rows))]
    for few in (1, 2):
        expected, found = (
            {c for row in part for c in combinations(row.items(), few)} for part in (rows, kept)
        )
        assert found == expected


def test_a_third_parameter_of_two_values_costs_nothing():
    rows = [{"format": f, "use": u, "layer": v} for f, u, v in product("ot", range(16), "ok")]
    assert len(pairwise(rows)) == 32
