"""Uncertainty of a comparison over tasks: a bootstrap interval of a mean, and a paired test of two models."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

RESAMPLES = 100_000  # so many that the digits which are shown hardly depend on what is drawn
COVERED = 95  # percent


def interval(errors: Sequence[float]) -> tuple[float, float]:
    """Compute a bootstrap interval, by percentiles, of the mean error over tasks such as these."""
    # RandomState draws the same numbers in every version of numpy, and sums of whole numbers are the same anywhere
    drawn = np.random.RandomState(0).randint(len(errors), size=(RESAMPLES, len(errors)))
    sums = np.sort(np.rint(np.array(errors) * 10_000).astype(np.int64)[drawn].sum(1))
    cut = RESAMPLES * (100 - COVERED) // 200
    low, high = int(sums[cut]), int(sums[-1 - cut])
    return low / (10_000 * len(errors)), high / (10_000 * len(errors))


def signed_rank(differences: Sequence[float]) -> float:
    """Compute the two-sided p of Wilcoxon's signed-rank test; equal pairs say nothing and are left out.

    The distribution is exact, for ties too: tasks that both models solve, or fail alike, are common.
    """
    kept = [round(difference * 10_000) for difference in differences if round(difference * 10_000)]
    sizes = sorted(abs(difference) for difference in kept)
    # twice the middle rank, a whole number even where ranks are shared
    rank = {size: 2 * sizes.index(size) + sizes.count(size) + 1 for size in sizes}
    ways = [1]  # how many choices of signs give each sum of the positive ranks
    for size in sizes:
        shifted = [0] * rank[size] + ways
        ways = [a + b for a, b in zip(shifted, ways + [0] * rank[size], strict=True)]
    positive = sum(rank[difference] for difference in kept if difference > 0)
    tail = min(sum(ways[: positive + 1]), sum(ways[positive:]))
    return float(min(Fraction(1), Fraction(2 * tail, 2 ** len(kept))))
