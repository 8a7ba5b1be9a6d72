import pytest
import torch
from grafx.processors import Freeverb

from grafx.search import Options, Search, build_console, render_mix
from grafx.search.mixing.console import processors_for
from grafx.search.mixing.initial import set_initial_parameters
from grafx.search.mixing.mixer import WEIGHT
from grafx.search.mixing.sharing import replaceable, shared

STEMS = 0.1 * torch.randn(3, 2, 6000, generator=torch.Generator().manual_seed(0))


def desk(chain, silent_sends=False, **options):
    G = build_console(["a", "b", "c"], chain=chain, master=[], **options)
    set_initial_parameters(G, STEMS, STEMS.sum(0), 0)
    for _, data in G.nodes(data=True):
        if silent_sends and data["node_type"] == "send":
            data["parameters"]["log_gain"] -= 20
    return G


def pairs(G):
    found = replaceable(G, processors_for(G))
    return {(G.nodes[n]["node_type"], G.nodes[n]["owner"]): G.nodes[send]["owner"] for n, send in found.items()}


def test_only_what_is_alike_on_a_return_that_is_fed_can_be_replaced():
    chain = {"a": ["gain", "delay", "reverb"], "b": ["reverb", "gain"], "c": ["eq", "Freeverb"]}
    G = desk(chain, returns={"room": ["eq", "reverb"], "crush": ["compressor"]})
    assert pairs(G) == {("reverb", "a"): "a", ("reverb", "b"): "b"}
    assert pairs(desk(chain, returns={"plate": ["Freeverb"]})) == {("Freeverb", "c"): "c"}
    assert pairs(desk(chain, returns={"crush": ["compressor"]})) == pairs(desk(chain)) == {}


@pytest.mark.parametrize("weight", [0.1, 0.4])
def test_a_shared_reverb_sounds_like_equal_ones_of_each_stem(weight):
    G = desk(["gain", "reverb"], silent_sends=True, returns={"room": ["reverb"]})
    processors, before = processors_for(G), G.copy()
    for node in replaceable(G, processors):
        G.nodes[node][WEIGHT] = before.nodes[node][WEIGHT] = weight
    own = list(replaceable(G, processors))[:2]
    smaller = shared(G, own, processors)
    assert set(G.nodes) - set(smaller.nodes) == set(own) and smaller.validate() == []
    mix = render_mix(G, STEMS)
    assert (render_mix(smaller, STEMS) - mix).norm() / mix.norm() < 1e-5
    assert torch.equal(render_mix(before, STEMS), mix)  # the graph that was given stays


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_extreme_weights_and_chains_without_gains_stay_finite(weight):
    G = desk(["reverb"], returns={"room": ["reverb"]})
    for _, data in G.nodes(data=True):
        if data["node_type"] == "reverb":
            data[WEIGHT] = weight
    processors = processors_for(G)
    smaller = shared(G, list(replaceable(G, processors)), processors)
    assert len(replaceable(smaller, processors)) == 0
    assert all(v.isfinite().all() for _, d in smaller.nodes(data=True) for v in (d["parameters"] or {}).values())
    assert render_mix(smaller, STEMS).isfinite().all()


def bursts(rate, period, seed):
    noise = torch.randn(2 * rate, generator=torch.Generator().manual_seed(seed))
    return 0.2 * torch.exp(-25 * (torch.arange(2 * rate) / rate % period)) * noise.expand(2, -1)


@pytest.mark.slow
def test_a_search_finds_a_room_of_the_returns_class_and_who_sends_to_it():
    rate, names = 8000, ["a", "b", "c"]
    stems = torch.stack([bursts(rate, period, i) for i, period in enumerate((0.5, 0.4, 0.25))])
    room = Freeverb(rate)
    settings = {"room_size": 0.8, "damping": 0.2, "width": 1.0}
    mix = stems.sum(0) + 4 * room(stems[None, :2].sum(1), **room.dsp_to_raw(settings, 1))[0]
    graph = build_console(names, chain=["gain"], master=[], returns={"room": ["Freeverb"]})
    search = Search(stems, mix, rate, names, options=Options(0, 60, 1, 10, tolerance=0.03), graph=graph)
    assert all(search.run()) and search.best.loss < 0.2 * search.plain_loss
    nodes = [data for _, data in search.best.G.nodes(data=True)]
    assert sorted(data["owner"] for data in nodes if data["node_type"] == "send") == ["a", "b"]
    (found,) = (room.raw_to_dsp(data["parameters"]) for data in nodes if data["node_type"] == "Freeverb")
    assert found["room_size"].item() == pytest.approx(0.8, abs=0.1)
