"""Few of many combinations of parameters."""

from itertools import combinations


def pairwise(rows: list[dict]) -> set[int]:
    """Indices of few of the rows, values by parameter, in which every two values that occur together in any
    of them still do; and so does every single one."""
    rows = [sorted(row.items()) for row in rows]  # names differ: values are not compared
    pairs = [{*row, *combinations(row, 2)} for row in rows]
    missing, kept = set().union(*pairs), set()
    while missing:
        best = max(range(len(rows)), key=lambda i: len(pairs[i] & missing))
        kept.add(best)
        missing -= pairs[best]
    return kept
