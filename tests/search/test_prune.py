import itertools
import math
import random

import pytest

from grafx.search.mixing.prune import METHODS, brute_force, drywet_guided, hybrid

TYPES = ("eq", "gain", "reverb")


class Costs:
    """A loss that rises by the cost of each bypassed node; remembers what it was asked.

    Over the bound it tells as little as it may: something that is over the bound too.
    """

    def __init__(self, costs, base=1.0, candidates=None):
        self.costs, self.base, self.asked = costs, base, []
        self.candidates = set(costs if candidates is None else candidates)

    def __call__(self, bypassed, bound=math.inf):
        assert isinstance(bypassed, frozenset) and bypassed <= self.candidates
        self.asked.append(bypassed)
        loss = self.base + sum(self.costs[node] for node in bypassed)
        return loss if loss <= bound else bound + 1e-9


def random_case(seed, size=12):
    generator = random.Random(seed)
    ids = generator.sample(range(100), size)
    costs = {i: generator.choice([0.0, 0.0, generator.uniform(0, 0.02), generator.uniform(-0.005, 0.1)]) for i in ids}
    weights = {i: min(1, max(0, generator.gauss(0.2 + 8 * costs[i], 0.2))) for i in ids}
    return weights, {i: generator.choice(TYPES) for i in ids}, Costs(costs)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(20))
def test_stays_within_the_bound_and_asks_seldom(method, seed):
    weights, types, costs = random_case(seed)
    kept = dict(weights), dict(types)
    removed = METHODS[method](weights, types, costs, 1.02)
    assert isinstance(removed, frozenset) and removed <= set(weights)
    assert costs(removed) <= 1.02 or not removed
    assert len(costs.asked) <= 4 * len(weights) + 10
    assert (weights, types) == kept


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(10))
def test_what_is_clearly_heard_stays_even_if_it_would_fit(method, seed):
    weights, types, costs = random_case(seed)
    costs = Costs({node: max(cost, 0.0) for node, cost in costs.costs.items()})
    removed = METHODS[method](weights, types, costs, 1.5, 0.01)
    # Nodes that are tried together share what each may cost.
    assert costs(removed) <= 1 + 0.01 * len(removed) + 1e-9
    if method == "brute-force":
        assert removed == {node for node, cost in costs.costs.items() if cost <= 0.01}


@pytest.mark.parametrize("method", METHODS)
def test_no_candidates(method):
    assert METHODS[method]({}, {}, Costs({}), 2.0) == frozenset()


@pytest.mark.parametrize("method", METHODS)
def test_what_costs_nothing_goes_and_what_matters_stays(method):
    costs = Costs(dict.fromkeys(range(6), 0.0) | dict.fromkeys(range(6, 9), 1.0))
    weights = {i: 0.1 if i < 6 else 0.9 for i in range(9)}
    types = {i: TYPES[i % 3] for i in range(9)}
    assert METHODS[method](weights, types, costs, 1.0) == frozenset(range(6))


@pytest.mark.parametrize("method", METHODS)
def test_everything_may_go(method):
    costs = Costs(dict.fromkeys(range(7), 0.0))
    assert METHODS[method](dict.fromkeys(range(7), 0.5), dict.fromkeys(range(7), "eq"), costs, 1.0) == frozenset(
        range(7)
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("loss", [1.0, float("nan"), float("inf")])
def test_nothing_goes_where_all_is_out_of_bounds(method, loss):
    removed = METHODS[method]({1: 0.0, 2: 0.5}, {1: "eq", 2: "eq"}, lambda bypassed, bound: loss, 0.5)
    assert removed == frozenset()


@pytest.mark.parametrize("method", METHODS)
def test_nodes_that_help_nobody_go_even_when_weights_mislead(method):
    """Bypassing lowers the loss here, which is always welcome."""
    costs = Costs({1: -0.5, 2: -0.5, 3: 5.0})
    removed = METHODS[method]({1: 0.2, 2: 0.3, 3: 0.9}, dict.fromkeys((1, 2, 3), "eq"), costs, 1.0)
    assert {1, 2} <= removed and 3 not in removed


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_the_candidates_does_not_matter(method):
    weights, types, costs = random_case(3)
    turned = dict(reversed(weights.items())), dict(reversed(types.items()))
    assert METHODS[method](weights, types, costs, 1.02) == METHODS[method](*turned, costs, 1.02)


@pytest.mark.parametrize("seed", range(10))
def test_brute_force_removes_as_many_as_anything_could(seed):
    """From the cheapest on is the best order where costs add up."""
    weights, types, costs = random_case(seed, size=8)
    removed = brute_force(weights, types, costs, 1.02)
    fitting = [
        len(nodes)
        for size in range(9)
        for nodes in itertools.combinations(weights, size)
        if costs.base + sum(costs.costs[i] for i in nodes) <= 1.02
    ]
    assert len(removed) == max(fitting)


def test_brute_force_takes_the_cheapest_first():
    costs = Costs({1: 0.03, 2: 0.001, 3: 0.009, 4: 0.02})
    assert brute_force(dict.fromkeys(costs.costs, 0.5), dict.fromkeys(costs.costs, "eq"), costs, 1.0305) == {2, 3, 4}
    assert len(costs.asked) <= 9


def test_brute_force_sees_what_only_together_is_dear():
    def evaluate(bypassed, bound):
        return 1.0 + 10.0 * (len(bypassed) > 1)

    assert brute_force({5: 0.1, 3: 0.9}, {5: "eq", 3: "eq"}, evaluate, 1.5) == frozenset({3})


def test_drywet_takes_the_driest_first():
    costs = Costs({1: 0.01, 2: 0.01, 3: 0.01, 4: 0.01})
    weights = {1: 0.9, 2: 0.1, 3: 0.6, 4: 0.3}
    removed = drywet_guided(weights, dict.fromkeys(weights, "eq"), costs, 1.04)
    assert costs.asked[0] == frozenset() and costs.asked[1] == frozenset({2, 4})
    assert 2 in removed and (4 in removed or 3 not in removed)


def test_drywet_asks_less_than_brute_force_where_much_can_go():
    weights, types = dict.fromkeys(range(60), 0.1), {i: TYPES[i % 3] for i in range(60)}
    guided, exhaustive = Costs(dict.fromkeys(range(60), 0.0)), Costs(dict.fromkeys(range(60), 0.0))
    assert drywet_guided(weights, types, guided, 1.0) == brute_force(weights, types, exhaustive, 1.0)
    assert len(guided.asked) < len(exhaustive.asked) / 4


@pytest.mark.parametrize("seed", range(20))
def test_hybrid_removes_at_least_what_drywet_does(seed):
    weights, types, costs = random_case(seed)
    assert hybrid(weights, types, costs, 1.02) >= drywet_guided(weights, types, costs, 1.02)
