"""Which operators of a graph are a spectrogram, that quantization leaves alone."""

from collections.abc import Hashable, Iterable, Sequence

Operator = tuple[str, Iterable[Hashable], Iterable[Hashable]]  # type, inputs, outputs


def spectrogram(operators: Sequence[Operator], fused_names: Iterable[str]) -> set[int]:
    """Positions of the operators that lead to a logarithm before any LSTM: their powers span more
    magnitudes than integers do, and their matrices are not trained.

    Args:
        operators: In an order in which they can be computed.
        fused_names: Types that are an LSTM.
    """
    before: list[set[int]] = []  # of each operator, all that it depends on
    made_by: dict[Hashable, int] = {}
    for number, (_, inputs, outputs) in enumerate(operators):
        parents = {made_by[t] for t in inputs if t in made_by}
        before.append(parents.union(*(before[p] for p in parents)))
        made_by.update(dict.fromkeys(outputs, number))
    found: set[int] = set()
    lstms = {n for n, (kind, _, _) in enumerate(operators) if kind in fused_names}
    for number, (kind, _, _) in enumerate(operators):
        if kind.upper() == "LOG" and not before[number] & lstms:
            found |= before[number]
    return found
