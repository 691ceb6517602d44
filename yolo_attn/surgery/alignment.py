"""The best alignment of two sequences: pairs in order, as in a longest common subsequence, that gain most in all."""

from collections.abc import Mapping, Sequence

Gain = tuple[int, int, int]  # compared from the left: what comes first decides, what follows breaks ties
NOTHING: Gain = (0, 0, 0)


def best_alignment(mine: Sequence[int], theirs: Sequence[int], gains: Mapping[tuple[int, int], Gain]) -> dict[int, int]:
    """Returns which of `theirs` goes with each of `mine`, both in ascending order; what has no partner is left out.

    Args:
        mine: Names of the one sequence's members.
        theirs: Names of the other's.
        gains: What each pair that may be formed gains. Among equal alignments the pairs come as early as they can.
    """
    # best[row][column]: what the members from the row-th and from the column-th on can gain together.
    best = [[NOTHING] * (len(theirs) + 1) for _ in range(len(mine) + 1)]

    def paired(row: int, column: int) -> Gain:
        gain, rest = gains.get((mine[row], theirs[column])), best[row + 1][column + 1]
        return (gain[0] + rest[0], gain[1] + rest[1], gain[2] + rest[2]) if gain else NOTHING

    for row in reversed(range(len(mine))):
        for column in reversed(range(len(theirs))):
            best[row][column] = max(paired(row, column), best[row + 1][column], best[row][column + 1])
    pairs, row, column = {}, 0, 0
    while row < len(mine) and column < len(theirs):
        if (mine[row], theirs[column]) in gains and best[row][column] == paired(row, column):
            pairs[mine[row]] = theirs[column]
            row, column = row + 1, column + 1
        elif best[row][column] == best[row + 1][column]:
            row += 1
        else:
            column += 1
    return pairs
