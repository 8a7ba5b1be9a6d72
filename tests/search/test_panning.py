import math

import pytest
import torch

from grafx.search import Mixer, Options, Search, build_console, render_mix
from grafx.search.mixing.console import processors_for
from grafx.search.mixing.initial import set_initial_parameters
from grafx.search.mixing.mixer import WEIGHT
from grafx.search.mixing.panning import pan, panned, sources

RATE = 44100
STEMS = 0.1 * torch.randn(3, 1, 6000, generator=torch.Generator().manual_seed(0)).expand(3, 2, 6000)  # mono
NAMES = ["a", "b", "c"]
LOG_GAINS = torch.tensor([[0.3, -1.5], [-0.7, 0.2], [0.1, 0.1]])


def desk(chain=("gain",), master=("imager",), side_db=-4.0, weight=0.9, **options):
    """A desk whose stems are panned."""
    G = build_console(NAMES, chain=chain, master=master, **options)
    set_initial_parameters(G, STEMS, STEMS.sum(0), 0)
    for _, data in G.nodes(data=True):
        if data["node_type"] == "imager":
            data["parameters"] = {"log_gain": torch.tensor([side_db / 20 * math.log(10)])}
            data[WEIGHT] = weight
        elif data["node_type"] == "gain" and data["owner"] in NAMES:
            data["parameters"] = {"log_gain": LOG_GAINS[NAMES.index(data["owner"])]}
            data[WEIGHT] = 0.99
    return G


def owners(G):
    found = sources(G, processors_for(G))
    return {G.nodes[i]["owner"]: {(G.nodes[n]["owner"], G.nodes[n]["node_type"]) for n in found[i]} for i in found}


def without_imager(G, stems=STEMS):
    mixer = Mixer(G, RATE)
    G, processors = mixer.graph(), processors_for(G)
    ((imager, gains),) = sources(G, processors).items()
    with torch.no_grad():
        return panned(G, imager, gains, mixer.signals(stems), processors)


def test_the_sources_of_an_imager_are_the_nearest_gains():
    assert owners(desk()) == {"master": {("a", "gain"), ("b", "gain"), ("c", "gain")}}
    assert owners(desk(groups={"g": ["a", "b"]})) == {"master": {("g", "gain"), ("c", "gain")}}
    grouped = desk(["gain", "imager"], groups={"g": ["a", "b"]})
    assert owners(grouped)["g"] == {("a", "gain"), ("b", "gain")}
    assert owners(desk(returns={"room": ["reverb"]}))["master"] >= {("a", "gain"), ("b", "gain"), ("c", "gain")}


def test_an_imager_of_one_stem_and_one_whose_sources_have_no_gains_have_none():
    assert owners(desk(["gain", "imager"], master=["gain"])) == {}
    assert owners(desk({"a": ["gain"], "b": ["eq"], "c": ["gain"]})) == {}


@pytest.mark.parametrize("weight", [0.3, 1.0])
@pytest.mark.parametrize("side_db", [-60.0, -4.0, 2.0])
def test_pans_of_mono_sources_sound_like_the_imager(side_db, weight):
    G = desk(side_db=side_db, weight=weight)
    smaller = without_imager(G)
    assert {d["node_type"] for _, d in smaller.nodes(data=True)} == {"in", "gain", "mix", "out"}
    assert smaller.validate() == []
    mix = render_mix(G, STEMS)
    assert (render_mix(smaller, STEMS) - mix).norm() / mix.norm() < 1e-5


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_silent_and_one_sided_sources_stay_finite(weight):
    stems = STEMS.clone()
    stems[0], stems[1, 0] = 0, 0
    smaller = without_imager(desk(side_db=-60, weight=weight), stems)
    assert all(v.isfinite().all() for _, d in smaller.nodes(data=True) for v in (d["parameters"] or {}).values())
    assert render_mix(smaller, stems).isfinite().all()


@pytest.mark.parametrize("loss", [0.1, 0.3])
def test_pans_are_preferred_within_the_bound_alone(loss):
    mixer = Mixer(desk(), RATE)
    G, processors = mixer.graph(), processors_for(mixer.G)
    found = pan(G, processors, lambda: mixer.signals(STEMS), lambda _: loss, 0.2)
    assert (found is G) == (loss > 0.2)


def imagers(search):
    return [data for _, data in search.best.G.nodes(data=True) if data["node_type"] == "imager"]


def test_a_search_finds_pans_where_an_imager_with_wider_ones_explains_the_same():
    G = desk(side_db=-8)
    mix = render_mix(G, STEMS)
    options = Options(fit_steps=1, rounds=1, tune_steps=2, learning_rate=1e-6, tune_learning_rate=1e-6, align=False)
    search = Search(STEMS, mix, RATE, NAMES, options=options, graph=G)
    (imager,) = (node for node, data in search.mixer.G.nodes(data=True) if data["node_type"] == "imager")
    assert search.losses_without(search.mixer.graph())[imager] > 0.1  # without pans, it is needed
    list(search.run())
    assert not imagers(search) and search.best.loss < 1e-3


def test_a_search_keeps_an_imager_of_what_pans_cannot_do():
    wide = 0.1 * torch.randn(3, 2, 6000, generator=torch.Generator().manual_seed(1))
    G = desk(side_db=-8)
    options = Options(fit_steps=1, rounds=1, tune_steps=2, learning_rate=1e-6, tune_learning_rate=1e-6, align=False)
    search = Search(wide, render_mix(G, wide), RATE, NAMES, options=options, graph=G)
    list(search.run())
    assert imagers(search)
