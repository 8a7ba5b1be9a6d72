"""Order of items within the layers of a drawing, with few crossings of their links.

Two methods follow each other. *Sweeps* go back and forth and sort each layer by the mean position of its neighbours, as
in Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures" (1981). *Sifting*
moves single items to where they cross least, as in Matuszewski, Schönfeld and Molitor, "Using sifting for k-layer
straightline crossing minimization" (1999): a product of matrices counts the crossings of all pairs of a layer, which
tells what every move would save. It begins anew from orders that are shaken a little, and keeps the best, which never
has more crossings than what the sweeps found. Chance is always the same, so the same graph has the same order.
"""

from bisect import bisect_right, insort
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Layers = list[list[int]]
Orders = list[np.ndarray]
Crossable = tuple[int, int, float, float]  # tail, head, and their ports in shares of the place of an item, within ±0.5
LinksOf = list[list[tuple[float, int, float]]]  # of each item: own port, the other item, its port

MAX_SWEEPS = 24
MOST_SORTED = 200_000  # items in all sweeps together
STALE = 6  # sweeps in a row without a gain are the last
MAX_ROUNDS = 200  # of sifting
STALE_ROUNDS = 60
MOST_EFFORT = 5e8  # multiplications in all rounds together, some half a second
LEAST_GAIN = 1e-3  # crossings; less is rounding
LAYER_EFFORT = 2e5  # what a layer takes in a round, whatever its size, in multiplications


def ordered(layers: Sequence[Sequence[int]], links: Sequence[Crossable]) -> tuple[Layers, int]:
    """Find an order with few crossings of the links between neighbouring layers.

    Args:
        layers: Items 0, 1, … in layers, in an order to begin with.
        links: Between items of neighbouring layers.

    Returns:
        The layers with the same items, and how many links cross.
    """
    before, after = _neighbours(layers, links)
    found, crossings = _swept(layers, before, after)
    return _sifted(found, crossings, before, after) if crossings else (found, 0)


def _neighbours(layers: Sequence[Sequence[int]], links: Sequence[Crossable]) -> tuple[LinksOf, LinksOf]:
    before, after = ([[] for layer in layers for _ in layer] for _ in range(2))
    for a, b, port_a, port_b in links:
        before[b].append((port_b, a, port_a))
        after[a].append((port_a, b, port_b))
    return before, after


def count_crossings(layers: Sequence[Sequence[int]], after: LinksOf) -> int:
    """How many links cross."""
    place = {i: k for layer in layers for k, i in enumerate(layer)}
    crossings = 0
    for layer in layers:
        ends = sorted((place[i] + own, place[j] + port) for i in layer for own, j, port in after[i])
        seen: list[float] = []
        for _, end in ends:
            crossings += len(seen) - bisect_right(seen, end)
            insort(seen, end)
    return crossings


# --- Sweeps -------------------------------------------------------------------------------------------------


def _swept(layers: Sequence[Sequence[int]], before: LinksOf, after: LinksOf) -> tuple[Layers, int]:
    """Sort each layer by the mean position of its neighbours, back and forth; return the best order."""
    order = [list(layer) for layer in layers]
    place = {i: k for layer in order for k, i in enumerate(layer)}
    best, best_order = count_crossings(order, after), [list(layer) for layer in order]
    stale = 0
    for sweep in range(min(MAX_SWEEPS, max(MOST_SORTED // len(place), 1))):
        if best == 0 or stale == STALE:
            break
        towards_end = sweep % 2 == 0
        for layer in order if towards_end else order[::-1]:
            _sort_by_neighbours(layer, before if towards_end else after, place)
        _swap_neighbours(order, (before, after), place)
        crossings = count_crossings(order, after)
        stale += 1
        if crossings < best:
            best, best_order, stale = crossings, [list(layer) for layer in order], 0
    return best_order, best


def _sort_by_neighbours(layer: list[int], neighbours: LinksOf, place: dict[int, int]) -> None:
    keys = {}
    for k, i in enumerate(layer):
        links = neighbours[i]
        if len(links) == 1:
            ((own, j, port),) = links
            keys[i] = place[j] + port - own
        else:
            keys[i] = sum(place[j] + port - own for own, j, port in links) / len(links) if links else k
    layer.sort(key=keys.__getitem__)
    place.update({i: k for k, i in enumerate(layer)})


def _swap_neighbours(layers: Layers, sides: tuple[LinksOf, LinksOf], place: dict[int, int]) -> None:
    for layer in layers:
        for k in range(len(layer) - 1):
            a, b = layer[k], layer[k + 1]
            gain = 0
            for neighbours in sides:
                first, second = neighbours[a], neighbours[b]
                if len(first) == 1 and len(second) == 1:  # as of most items, and in less time
                    x, y = place[first[0][1]] + first[0][2], place[second[0][1]] + second[0][2]
                    gain += (x > y) - (x < y)
                elif first and second:
                    at = [place[j] + port for _, j, port in first]
                    for _, j, port in second:
                        other = place[j] + port
                        gain += sum((x > other) - (x < other) for x in at)
            if gain > 0:
                layer[k], layer[k + 1] = b, a
                place[a], place[b] = k + 1, k


# --- Sifting ------------------------------------------------------------------------------------------------


def _sifted(layers: Layers, crossings: int, before: LinksOf, after: LinksOf) -> tuple[Layers, int]:
    rounds = min(int(MOST_EFFORT / _effort(layers, before, after)), MAX_ROUNDS)
    if rounds == 0:
        return layers, crossings
    sifting, chance = _Sifting(layers, before, after), np.random.default_rng(0)
    best = current = sifting.orders
    found, last = layers, 0
    for number in range(rounds):
        if crossings == 0 or number - last > STALE_ROUNDS:
            break
        shakes = number % 2 == 1
        sifting.take(_shaken(best, chance) if shakes else current)
        if number:
            sifting.sweep(bool(chance.integers(2)), chance.random() ** 2)
        sifting.settle()
        if not shakes:
            current = list(sifting.orders)
        order = [[layer[k] for k in places] for layer, places in zip(layers, sifting.orders, strict=True)]
        if (count := count_crossings(order, after)) < crossings:
            best, found, crossings, last = list(sifting.orders), order, count, number
    return found, crossings


def _effort(layers: Layers, before: LinksOf, after: LinksOf) -> float:
    """What a round of sifting takes, in multiplications."""
    ends = (sum(len(side[i]) for i in layer for side in (before, after)) for layer in layers)
    return sum(LAYER_EFFORT + len(layer) ** 2 * count for layer, count in zip(layers, ends, strict=True))


def _shaken(orders: Orders, chance: np.random.Generator) -> Orders:
    strength = 10 ** chance.uniform(-0.7, 0.7)  # places
    return [order[np.argsort(np.arange(len(order)) + chance.normal(0, strength, len(order)))] for order in orders]


class _Side(NamedTuple):
    """The links of a layer to one of those next to it."""

    items: np.ndarray  # of the other layer, one for each end
    ports: np.ndarray
    links: np.ndarray  # items of the layer × ends: how many there are

    def places(self, place: np.ndarray) -> np.ndarray:
        """Where the ends are, given the places of all items."""
        return place[self.items] + self.ports


class _Sifting:
    """Layers whose order changes; items are numbered from 0 in each."""

    def __init__(self, layers: Layers, before: LinksOf, after: LinksOf) -> None:
        self.orders = [np.arange(len(layer)) for layer in layers]
        self._items = [np.array(layer) for layer in layers]
        self._sides = [(_side(layer, before), _side(layer, after)) for layer in layers]
        self._place = np.zeros(sum(map(len, layers)))

    def take(self, orders: Orders) -> None:
        self.orders = list(orders)
        for number, order in enumerate(orders):
            self._put(number, order)

    def sweep(self, towards_end: bool, share: float) -> None:
        """Sort each layer by the one before it, where crossings with the one behind it count less."""
        numbers = range(len(self.orders))
        weights = (1.0, share) if towards_end else (share, 1.0)
        for number in numbers if towards_end else reversed(numbers):
            start = self._sorted_by_means(number, 0 if towards_end else 1)
            self._put(number, _sift(start, self._costs(number, weights)))

    def settle(self) -> None:
        """Move items while that saves crossings."""
        numbers = range(len(self.orders))
        waiting = set(numbers)
        while waiting:
            for number in [*numbers, *reversed(numbers)]:
                if number not in waiting:
                    continue
                waiting.discard(number)
                order = _sift(self.orders[number], self._costs(number))
                if order is not self.orders[number]:
                    self._put(number, order)
                    waiting |= {number - 1, number + 1} & set(numbers)

    def _put(self, number: int, order: np.ndarray) -> None:
        self.orders[number] = order
        self._place[self._items[number][order]] = np.arange(len(order))

    def _costs(self, number: int, weights: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
        """How many more links cross where one item of a layer is before another than where it is behind it."""
        size = len(self.orders[number])
        crossings = np.zeros((size, size), np.float32)
        for side, weight in zip(self._sides[number], weights, strict=True):
            if side is not None and weight:
                links = side.links[:, side.places(self._place).argsort()]
                crossings += weight * (links @ (links.cumsum(axis=1) - links).T)
        return crossings - crossings.T

    def _sorted_by_means(self, number: int, which: int) -> np.ndarray:
        """The order of a layer by the mean place of what its items are linked to; items without links stay."""
        side, order = self._sides[number][which], self.orders[number]
        if side is None:
            return order
        keys = np.empty(len(order))
        keys[order] = np.arange(len(order))
        counts = side.links.sum(axis=1)
        linked = counts > 0
        keys[linked] = (side.links @ side.places(self._place))[linked] / counts[linked]
        return order[np.argsort(keys[order], kind="stable")]


def _side(layer: list[int], ends: LinksOf) -> _Side | None:
    columns: dict[tuple[int, float], int] = {}
    at = [(row, columns.setdefault(end[1:], len(columns))) for row, i in enumerate(layer) for end in ends[i]]
    if not at:
        return None
    links = np.zeros((len(layer), len(columns)), np.float32)
    np.add.at(links, tuple(zip(*at, strict=True)), 1.0)
    items, ports = zip(*columns, strict=True)
    return _Side(np.array(items), np.array(ports), links)


def _sift(order: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """Move items to where they cost least, first those that gain most, while any gain; the same array where none do."""
    places = np.arange(len(order))
    saved = np.zeros((len(order), len(order) + 1), np.float32)  # by an item behind so many of the others
    while True:
        costs[order[:, None], order].cumsum(axis=1, out=saved[:, 1:])
        gains = saved.max(axis=1) - saved[places, places]
        movable = np.flatnonzero(gains >= LEAST_GAIN)
        if not len(movable):
            return order
        for item in order[movable[gains[movable].argsort()[::-1]]]:
            order = _moved(order, item, costs[item])


def _moved(order: np.ndarray, item: int, costs: np.ndarray) -> np.ndarray:
    """An order with one item where it costs least."""
    saved = np.zeros(len(order) + 1, np.float32)
    costs[order].cumsum(out=saved[1:])
    here, there = int((order == item).argmax()), int(saved.argmax())
    if saved[there] - saved[here] < LEAST_GAIN:
        return order
    if there > here:
        return np.concatenate([order[:here], order[here + 1 : there], order[here : here + 1], order[there:]])
    return np.concatenate([order[:there], order[here : here + 1], order[there:here], order[here + 1 :]])
