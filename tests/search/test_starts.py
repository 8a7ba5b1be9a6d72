"""Where processors start that someone knows the usual settings of."""

import pytest
import torch
from grafx.processors.base import ParameterError

from grafx.parameters.tensors import collect_parameters
from grafx.search import Search, build_console, console_processors
from grafx.search.mixing.initial import set_initial_parameters
from grafx.search.mixing.search import _joined

RATE = 44100
STARTS = {
    "": {"compressor": {"ratio": 3.0, "threshold_db": -30.0}, "gain": {"left_gain_db": 6.0}, "delay": {}},
    "pad": {"compressor": {"ratio": 6.0}},
}


def settings_at_start(search):
    """Physical settings by owner and type, as the search begins."""
    found = {}
    G, processors = search.mixer.graph(), console_processors(RATE)
    raw = collect_parameters(G, ["compressor", "gain", "eq"])
    for node_type in raw:
        values = processors[node_type].raw_to_dsp(raw[node_type])
        nodes = [data for _, data in sorted(G.nodes(data=True)) if data["node_type"] == node_type]
        for row, data in enumerate(nodes):
            found[data["owner"], node_type] = {name: value[row] for name, value in values.items()}
    return found


@pytest.fixture(scope="module")
def starts(stems, mix):
    def make(**options):
        return Search(stems, mix, RATE, ["kick", "pad"], **options)

    return make


def test_processors_start_there(starts):
    usual, found = settings_at_start(starts()), settings_at_start(starts(starts=STARTS))
    for owner, ratio in (("kick", 3.0), ("pad", 6.0), ("master", 3.0)):
        compressor = found[owner, "compressor"]
        assert compressor["ratio"].item() == pytest.approx(ratio, rel=1e-4)
        assert compressor["threshold_db"].item() == pytest.approx(-30.0, rel=1e-4)
        for name in ("knee_db", "attack_ms", "release_ms"):
            assert torch.equal(compressor[name], usual[owner, "compressor"][name])
    assert found["master", "gain"]["left_gain_db"].item() == pytest.approx(6.0, rel=1e-4)


def test_what_the_audio_tells_counts_more(starts):
    usual, found = settings_at_start(starts()), settings_at_start(starts(starts=STARTS))
    for owner in ("kick", "pad"):
        for node_type in ("gain", "eq"):
            for name, value in usual[owner, node_type].items():
                assert torch.equal(found[owner, node_type][name], value), (owner, node_type, name)


def test_another_start_is_another_search(starts):
    fingerprints = [starts(starts=s).fingerprint for s in (None, {}, STARTS, {"": STARTS[""]})]
    assert fingerprints[0] == fingerprints[1] and len(set(fingerprints)) == 3


def test_seeds_begin_beside_it(starts):
    from grafx.search import Options

    ratios = {
        settings_at_start(starts(starts=STARTS, options=Options(seed=seed)))["kick", "compressor"]["ratio"].item()
        for seed in (1, 2)
    }
    assert len(ratios) == 2 and all(1.5 < ratio < 6 for ratio in ratios)


@pytest.mark.parametrize("settings", [{"ratio": -3.0}, {"ratioo": 3.0}, {"ratio": "much"}])
def test_what_is_no_start_is_refused(starts, settings):
    with pytest.raises(ValueError, match="The start of compressor"):
        starts(starts={"": {"compressor": settings}})
    with pytest.raises(ParameterError, match="ratio"):
        starts(starts={"": {"compressor": {"ratio": 1e9}}})


def test_nodes_that_hold_parameters_keep_them(starts):
    G = build_console(["kick", "pad"], chain=["compressor", "gain"], master=[])
    search = starts(graph=G)
    set_initial_parameters(G, *_joined(search.excerpts), 0, starts=None)
    held = starts(graph=G, starts=STARTS).mixer.graph()
    ratios = collect_parameters(held, ["compressor"])["compressor"]["log_ratio"]
    assert torch.equal(ratios, collect_parameters(G, ["compressor"])["compressor"]["log_ratio"])
