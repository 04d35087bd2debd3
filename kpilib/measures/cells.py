"""Which groups are too small to show, and which others would give them away."""

from __future__ import annotations

from collections.abc import Sequence


def hidden(sizes: Sequence[int], smallest: int) -> list[bool]:
    """Choose the groups to hide, of groups that add up to a total which is shown.

    Those below the smallest size; and the next larger ones, until the hidden ones are two or more that are not empty
    and have the smallest size together. Else the total less what is shown would tell them.

    Example
    -------
    >>> hidden([20, 3, 9], 5), hidden([20, 3, 2], 5), hidden([20, 2, 2, 9], 5), hidden([20, 0, 9], 5), hidden([3], 5)
    ([False, True, True], [False, True, True], [False, True, True, True], [False, True, False], [True])
    """
    hide = [size < smallest for size in sizes]
    for place in sorted(range(len(sizes)), key=lambda each: sizes[each]):
        told = [size for size, out in zip(sizes, hide, strict=True) if out and size]
        if not told or (len(told) > 1 and sum(told) >= smallest):
            break
        hide[place] = True
    return hide
