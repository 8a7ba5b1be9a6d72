"""Positions across the flow for parts that are too large for a linear program.

As in Brandes and Köpf, "Fast and simple horizontal coordinate assignment" (2001), items whose links want to be straight
are aligned into rows that do not cross each other, heavy links first; a row is then placed as a whole. Rows begin
halfway between their lowest and highest places, and move towards the median of what they are linked to.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Sequence

Link = tuple[int, int, float, float, float]  # tail, head, their ports' offsets, weight
Gap = tuple[int, int, float]  # two neighbours of a layer, and the least distance between them
Pull = tuple[int, float, float]  # another row, where this one would be straight with it, weight

LONGEST_ROW = 12  # items; longer ones push each other far apart
MOST_SWEEPS = 12
STILL = 0.01  # points; less is no movement


def aligned_positions(
    layers: Sequence[Sequence[int]], links: Sequence[Link], gaps: Iterable[Gap], light: float = 0.0
) -> list[float]:
    """Positions of all items across the flow, which keep their distances; rows of linked items are straight.

    Args:
        layers: The items of each layer, in their order across the flow.
        links: Between items of neighbouring layers.
        gaps: Between neighbours of a layer.
        light: Up to this weight, links make no rows.
    """
    row_of, shift = _rows(layers, _straight(layers, [link for link in links if link[-1] > light]))
    before, after = _distances(row_of, shift, gaps)
    order = _sorted(before, after)
    at = _between(order, before, after)
    pulls = _pulls(row_of, shift, links)
    for sweep in range(MOST_SWEEPS):
        moved = 0.0
        for row in order if sweep % 2 else reversed(order):
            if not pulls[row]:
                continue
            target = _median([(at[other] + offset, weight) for other, offset, weight in pulls[row]])
            target = max([target, *(at[other] + distance for other, distance in before[row])])
            target = min([target, *(at[other] - distance for other, distance in after[row])])
            moved = max(moved, abs(target - at[row]))
            at[row] = target
        if moved < STILL:
            break
    return [at[row] + offset for row, offset in zip(row_of, shift, strict=True)]


def _straight(layers: Sequence[Sequence[int]], links: Sequence[Link]) -> list[Link]:
    """Links that are made straight: at most one on each side of an item, and none that cross."""
    place = {i: k for layer in layers for k, i in enumerate(layer)}
    layer_of = {i: number for number, layer in enumerate(layers) for i in layer}
    ranks = _distances_from_median(links, place)
    chosen: list[Link] = []
    taken: list[list[tuple[int, int]]] = [[] for _ in layers]  # places of tails and heads, sorted
    has_next, has_last = set(), set()
    for k in sorted(range(len(links)), key=lambda k: (-links[k][-1], ranks[k])):
        tail, head, *_ = links[k]
        if tail in has_next or head in has_last:
            continue
        others, pair = taken[layer_of[tail]], (place[tail], place[head])
        spot = bisect_left(others, pair)
        is_above = spot > 0 and others[spot - 1][1] > pair[1]
        if is_above or (spot < len(others) and others[spot][1] < pair[1]):
            continue
        insort(others, pair)
        has_next.add(tail)
        has_last.add(head)
        chosen.append(links[k])
    return chosen


def _distances_from_median(links: Sequence[Link], place: dict[int, int]) -> list[float]:
    """How far each link is from the middle one of those at its ends."""
    far = [0.0] * len(links)
    for turned in (False, True):
        fans = defaultdict(list)
        for k, (tail, head, *_) in enumerate(links):
            here, there = (head, tail) if turned else (tail, head)
            fans[here].append((place[there], k))
        for fan in fans.values():
            fan.sort()
            for rank, (_, k) in enumerate(fan):
                far[k] += abs(rank - (len(fan) - 1) / 2)
    return far


def _rows(layers: Sequence[Sequence[int]], straight: Iterable[Link]) -> tuple[list[int], list[float]]:
    """The row of each item, and its position in it."""
    count = sum(map(len, layers))
    row_of, shift, length = list(range(count)), [0.0] * count, [1] * count
    back = {head: (tail, port_tail - port_head) for tail, head, port_tail, port_head, _ in straight}
    for layer in layers:
        for i in layer:
            tail, step = back.get(i, (i, 0.0))
            if tail != i and length[tail] < LONGEST_ROW:
                row_of[i], shift[i], length[i] = row_of[tail], shift[tail] + step, length[tail] + 1
    return row_of, shift


def _distances(row_of: Sequence[int], shift: Sequence[float], gaps: Iterable[Gap]) -> tuple[list, list]:
    """The rows next to each row, on either side, and their distances."""
    least: dict[tuple[int, int], float] = {}
    for i, j, distance in gaps:
        pair = row_of[i], row_of[j]
        needed = distance + shift[i] - shift[j]
        least[pair] = max(needed, least.get(pair, needed))
    before, after = ([[] for _ in row_of] for _ in range(2))
    for (a, b), distance in least.items():
        before[b].append((a, distance))
        after[a].append((b, distance))
    return before, after


def _sorted(before: list, after: list) -> list[int]:
    """Rows in an order in which each comes after those before it."""
    missing = [len(others) for others in before]
    order = [row for row, count in enumerate(missing) if count == 0]
    for row in order:
        for other, _ in after[row]:
            missing[other] -= 1
            if missing[other] == 0:
                order.append(other)
    return order


def _between(order: list[int], before: list, after: list) -> list[float]:
    low, high = [0.0] * len(order), [0.0] * len(order)
    for row in order:
        low[row] = max((low[other] + distance for other, distance in before[row]), default=0.0)
    end = max(low)
    for row in reversed(order):
        high[row] = min((high[other] - distance for other, distance in after[row]), default=end)
    return [(a + b) / 2 for a, b in zip(low, high, strict=True)]


def _pulls(row_of: Sequence[int], shift: Sequence[float], links: Iterable[Link]) -> list[list[Pull]]:
    pulls: list[list[Pull]] = [[] for _ in row_of]
    for tail, head, port_tail, port_head, weight in links:
        a, b = row_of[tail], row_of[head]
        if a != b:
            offset = shift[head] + port_head - shift[tail] - port_tail
            pulls[a].append((b, offset, weight))
            pulls[b].append((a, -offset, weight))
    return pulls


def _median(targets: list[tuple[float, float]]) -> float:
    """The weighted median; halfway between two where both are."""
    targets.sort()
    half = sum(weight for _, weight in targets) / 2
    reached = 0.0
    for k, (target, weight) in enumerate(targets):
        reached += weight
        if reached > half:
            return target
        if reached == half:
            return (target + targets[k + 1][0]) / 2
    return targets[-1][0]
