"""What several searches of one song have in common."""

import json
from dataclasses import asdict
from statistics import median

import pytest

from grafx.data import GRAFX, NodeConfigs, save_grafx
from grafx.errors import SearchError
from grafx.parameters.words import spread_text
from grafx.search import Search, SeedResult, Spread, best_result, build_console, search_seeds, sureness
from grafx.search.mixing.mixer import WEIGHT
from grafx.search.mixing.seeds import best_of
from grafx.search.mixing.state import Found

from .conftest import NAMES, RATE, tiny_options


def graph(*chain):
    """A chain on one stem, from types with weights and settings."""
    G = GRAFX(config=NodeConfigs(["eq", "compressor", "gain", "delay"]))
    last = G.add("in", name="drums")
    for node_type, data in chain:
        node = G.add(node_type)
        G.nodes[node].update(data, owner="drums")
        G.connect(last, node)
        last = node
    G.connect(last, G.add("out"))
    return G


def held(weight=0.9, **settings):
    return {WEIGHT: weight, "settings": settings}


def test_the_spread_of_each_number_where_a_processor_survived():
    graphs = [
        graph(("compressor", held(0.5, threshold_db=-20.0, ratio=4.0)), ("eq", held(gain_db={"63 Hz": [1.0, 2.0]}))),
        graph(("compressor", held(0.7, threshold_db=-23.0, ratio=2.0))),
        graph(("compressor", held(0.9, threshold_db=-21.0, ratio=3.0)), ("eq", held(gain_db={"63 Hz": [3.0, 0.0]}))),
    ]
    compressor, eq = sureness(graphs)
    assert (compressor.owner, compressor.type, compressor.id) == ("drums", "compressor", None)
    assert (compressor.survived, compressor.of, eq.survived, eq.of) == (3, 3, 2, 3)
    assert compressor.drywet_weight == Spread(0.7, 0.5, 0.9)
    assert compressor.settings == {"threshold_db": Spread(-21.0, -23.0, -20.0), "ratio": Spread(3.0, 2.0, 4.0)}
    assert eq.settings == {"gain_db": {"63 Hz": [Spread(2.0, 1.0, 3.0), Spread(1.0, 0.0, 2.0)]}}
    json.dumps([asdict(part) for part in (compressor, eq)], allow_nan=False)


def test_a_single_graph_spreads_nowhere_and_none_is_refused():
    [gain] = sureness([graph(("gain", held(1.0, left_gain_db=-3.0)))])
    assert (gain.survived, gain.of) == (1, 1) and gain.settings == {"left_gain_db": Spread(-3.0, -3.0, -3.0)}
    with pytest.raises(SearchError, match="at least one"):
        sureness([])
    with pytest.raises(SearchError, match="at least one"):
        best_result([])


def test_what_the_console_had_and_no_graph_has_is_told():
    console = graph(("eq", held()), ("compressor", held()), ("gain", held()))
    found = sureness([graph(("gain", held()))] * 2, console)
    assert [(part.type, part.survived, part.of) for part in found] == [
        ("eq", 0, 2),
        ("compressor", 0, 2),
        ("gain", 2, 2),
    ]
    assert found[0].drywet_weight is None and found[0].settings == {}


def test_several_of_a_type_in_a_chain_are_told_apart_by_their_nodes():
    full = graph(("gain", held(left_gain_db=1.0)), ("eq", held()), ("gain", held(left_gain_db=5.0)))
    pruned = full.copy()
    pruned.bypass(1)
    found = sureness([full, pruned])
    assert [(part.type, part.id, part.survived) for part in found] == [("gain", 1, 1), ("eq", None, 2), ("gain", 3, 2)]
    assert found[2].settings == {"left_gain_db": Spread(5.0, 5.0, 5.0)}


def test_taps_are_compared_by_the_loudest():
    taps = [{"100 ms": -9.0, "250.5 ms left": -6.0}, {"251.5 ms left": -4.0, "90 ms right": -30.0}]
    [delay] = sureness([graph(("delay", held(loudest_db=each))) for each in taps])
    assert delay.settings == {"loudest_db": Spread(-5.0, -6.0, -4.0), "loudest_ms": Spread(251.0, 250.5, 251.5)}


def test_numbers_that_are_not_in_all_or_no_numbers_are_left_out():
    settings = [{"a": 1.0, "b": [1.0, 2.0], "c": "x", "d": 1.0}, {"a": 3.0, "b": [1.0], "c": "x", "e": float("inf")}]
    [eq] = sureness([graph(("eq", held(**each))) for each in settings])
    assert eq.settings == {"a": Spread(2.0, 1.0, 3.0)}


def test_graphs_may_be_folders_of_results(tmp_path):
    graphs = [graph(("gain", held(left_gain_db=value))) for value in (-1.0, 2.0)]
    for name, G in zip("ab", graphs, strict=True):
        save_grafx(G, tmp_path / name)
    assert sureness([tmp_path / "a", str(tmp_path / "b")]) == sureness(graphs)


# The best


@pytest.mark.parametrize(
    "numbers, expected",
    [
        ([(0.10, 0.10, 9), (0.12, 0.11, 5)], 1),  # the smallest
        ([(0.10, 0.10, 9), (0.12, 0.125, 5)], 0),  # within the tolerance over the best console, not over its own
        ([(0.10, 0.105, 5), (0.12, 0.101, 5)], 1),  # of the same size, that of least loss
        ([(0.10, 0.10, 5), (0.10, 0.10, 5)], 0),  # the first of equals
        ([(0.10, 0.2, 5), (0.10, 0.3, 4)], 1),  # none within it: still one
    ],
)
def test_the_best_is_the_smallest_within_the_tolerance(numbers, expected):
    assert best_of(numbers, 0.02) == expected
    G = graph()
    results = [SeedResult(s, Found(G, c, 9), Found(G, f, n)) for s, (c, f, n) in enumerate(numbers)]
    assert best_result(results, 0.02).seed == expected


# Searches


@pytest.fixture(scope="module")
def results(stems, mix):
    console = build_console(NAMES, chain=["eq", "compressor", "gain"], master=["gain"])
    options = tiny_options(tolerance=0.1)
    return search_seeds((0, 1, 5), stems, mix, RATE, list(NAMES), options=options, graph=console)


def test_a_search_for_each_seed_is_that_search(results, stems, mix):
    assert [result.seed for result in results] == [0, 1, 5]
    console = build_console(NAMES, chain=["eq", "compressor", "gain"], master=["gain"])
    search = Search(stems, mix, RATE, list(NAMES), options=tiny_options(tolerance=0.1, seed=5), graph=console)
    list(search.run())
    assert (results[2].found.loss, results[2].console.loss) == (search.best.loss, search.console.loss)


def test_seeds_differ_where_nothing_else_is_random(results):
    """The audio is too short for excerpts, and there is no delay."""
    assert len({result.found.loss for result in results}) == 3
    parts = sureness([result.found.G for result in results], results[0].console.G)
    assert sum(part.survived for part in parts) == sum(result.found.num_processors for result in results)
    spread = [part.drywet_weight for part in parts if part.survived > 1]
    assert any(one.lowest < one.highest for one in spread)
    for part in parts:
        if part.type == "compressor" and part.survived == 3:
            thresholds = [
                data["settings"]["threshold_db"]
                for result in results
                for _, data in result.found.G.nodes(data=True)
                if (data.get("owner"), data["node_type"]) == (part.owner, part.type)
            ]
            assert part.settings["threshold_db"] == Spread(median(thresholds), min(thresholds), max(thresholds))


# Words


def test_spreads_in_words():
    def ends(low, high):
        return {"median": low, "lowest": low, "highest": high}

    settings = {
        "threshold_db": ends(-24.0, -22.0),
        "ratio": ends(3.1, 1e9),
        "gain_db": {"63 Hz": [ends(0.0, 1.0)], "1000 Hz": [ends(-1.0, 1.5), ends(2.0, 2.0)]},
        "low": {"freq": ends(80.0, 80.0)},
        "pans": [ends(0.0, 1.0), ends(2.0, 3.0)],
    }
    assert spread_text(settings) == (
        "threshold −24 to −22 dB, ratio 3.1 to ∞, gain within 2.5 dB (1000 Hz), low freq 80, pans 0 to 1, 2 to 3"
    )
    assert spread_text({"gain_db": {"63 Hz": ends(2.0, 2.0)}}) == "gain 2 dB at 63 Hz"
    assert spread_text({}) == ""
