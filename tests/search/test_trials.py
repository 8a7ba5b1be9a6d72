"""Trials of pruning render a part of a graph; they must tell what a render of the whole does."""

import random

import pytest
import torch
import torch.nn as nn

from grafx.data import GRAFX, NodeConfigs
from grafx.search import Options, Search, build_console
from grafx.search.mixing import excerpt as excerpts
from grafx.search.mixing import judge as judges
from grafx.search.mixing.excerpt import Excerpt, random_excerpt
from grafx.search.mixing.judge import Judge
from grafx.search.mixing.loss import MatchLoss
from grafx.search.mixing.mixer import WEIGHT
from grafx.search.mixing.trials import downstream

RATE, NAMES = 44100, ["kick", "pad", "voice"]


class Level(nn.Module):
    def parameter_size(self):
        return {"level": 2}

    def forward(self, x, level):
        return x * level.exp().unsqueeze(-1)


class Middle(nn.Module):
    """Stereo to mono; a mono signal that was spread to two channels would be louder."""

    def parameter_size(self):
        return {"level": 1}

    def forward(self, x, level):
        return x.sum(1, keepdim=True) * level.exp().unsqueeze(-1)


class Hum(nn.Module):
    """A generator."""

    inlets = ()

    def external_parameters(self):
        return {WEIGHT}

    def parameter_size(self):
        return {"level": 2}

    def forward(self, level, drywet_weight, num_samples):
        return (drywet_weight[:, None] * level)[..., None] * torch.arange(num_samples).div(20).sin()


OWN = {"level": Level(), "middle": Middle(), "hum": Hum()}
TYPES = ["eq", "gain", "compressor", "noisegate", "imager", "reverb", "delay", "peq", "ducker"]


@pytest.fixture(scope="module")
def material():
    generator = torch.Generator().manual_seed(0)
    time = torch.arange(9000) / RATE
    stems = (
        0.1
        * torch.randn(3, 2, 9000, generator=generator)
        * torch.exp(-8 * (1 + torch.arange(3))[:, None] * time)[:, None]
    )
    stems[1] += 0.2 * (700 * time).sin()
    return stems, (torch.tensor([0.9, 0.4, 0.7])[:, None, None] * stems).sum(0).tanh()


@pytest.fixture
def several_excerpts(monkeypatch):
    """Of 3600 samples, after a warm-up of 1000."""
    for name in ("WHOLE_SECONDS", "STEP_WHOLE_SECONDS"):
        monkeypatch.setattr(excerpts, name, 0.1)
    monkeypatch.setattr(excerpts, "SECONDS", 3600 / RATE)
    monkeypatch.setattr(excerpts, "LEAD_SECONDS", 1000 / RATE)
    monkeypatch.setattr(excerpts, "STEP_SECONDS", 3600 / RATE)
    monkeypatch.setattr(excerpts, "GRID_SECONDS", 500 / RATE)


def trials_of(material, G, seed=0, **own):
    """Trials of a graph with arbitrary parameters and weights."""
    processors = {name: OWN[name] for name in OWN if name in {d["node_type"] for _, d in G.nodes(data=True)}}
    search = Search(*material, RATE, NAMES, options=Options(align=False), graph=G, processors=processors, **own)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in search.mixer.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
        search.mixer.z_drywet += torch.randn(search.mixer.z_drywet.shape, generator=generator)
    return search, search._trials()


def loss_of_all(search, trials, removed):
    """The loss of a render of the whole graph."""
    mixer = search._mixer(trials.without(removed))
    return trials._judge.mean(lambda stems: mixer(stems)[0], trials.excerpts)


def random_console(seed):
    draw = random.Random(seed)
    chains = {name: draw.sample(TYPES[:-1], draw.randint(0, 3)) for name in [*NAMES, "band"]}
    returns = {"room": ["reverb"], "crush": ["compressor", "gain"]} if draw.random() < 0.6 else None
    sidechains = {"pad": "kick"} if draw.random() < 0.6 else None
    groups = {"band": NAMES[1:]} if draw.random() < 0.6 else None
    chains = chains if groups else {name: chains[name] for name in NAMES}
    return build_console(NAMES, groups, chains, master=["eq", "gain"], returns=returns, sidechains=sidechains)


def random_graph(seed):
    """No console: each node takes some of the signals before it, and what nothing takes goes to the output."""
    draw, G = random.Random(seed), GRAFX(config=NodeConfigs.from_processors({**known(), **OWN}))
    sources = [(G.add("in"), "main") for _ in NAMES]
    unheard = set(sources)
    for _ in range(7):
        node_type = draw.choice([*TYPES, *TYPES, *OWN])
        node = G.add(node_type)
        for inlet in G.config[node_type]["inlets"]:
            for source, outlet in draw.sample(sources, draw.randint(1, 2)):
                G.connect(source, node, outlet=outlet, inlet=inlet)
                unheard.discard((source, outlet))
        sources += [(node, outlet) for outlet in G.config[node_type]["outlets"]]
        unheard.update((node, outlet) for outlet in G.config[node_type]["outlets"])
    out = G.add("out")
    for source, outlet in sorted(unheard):
        G.connect(source, out, outlet=outlet)
    return G


def known():
    from grafx.search import console_processors

    return console_processors(RATE, TYPES)


def draws(nodes, seed, count):
    draw = random.Random(seed)
    yield from (frozenset(), frozenset(nodes))
    for _ in range(count):
        yield frozenset(draw.sample(nodes, draw.randint(1, max(1, len(nodes) // 2))))
    yield from (frozenset({node}) for node in draw.sample(nodes, min(4, len(nodes))))


@pytest.mark.parametrize("make", [random_console, random_graph])
@pytest.mark.parametrize("seed", range(4))
def test_a_trial_is_a_render_of_the_whole(material, several_excerpts, make, seed):
    search, trials = trials_of(material, make(seed), seed)
    assert len(trials.excerpts) == 3
    for removed in draws(search.mixer.processor_ids, seed, 3):
        assert trials(removed) == pytest.approx(loss_of_all(search, trials, removed), rel=1e-5), removed


@pytest.mark.parametrize("node_type", [*TYPES, *OWN])
def test_a_graph_of_a_single_processor(material, node_type):
    G = GRAFX(config=NodeConfigs.from_processors({**known(), **OWN}))
    inputs, node, out = [G.add("in") for _ in NAMES], G.add(node_type), G.add("out")
    for source in inputs:
        G.connect(source, out)
        for inlet in G.config[node_type]["inlets"]:
            G.connect(source, node, inlet=inlet)
    G.connect(node, out, outlet=G.config[node_type]["outlets"][0])
    search, trials = trials_of(material, G)
    for removed in ({*search.mixer.processor_ids}, ()):
        removed = frozenset(removed)
        assert trials(removed) == pytest.approx(loss_of_all(search, trials, removed), rel=1e-5)


def test_where_nothing_can_be_removed_there_is_one_loss(material):
    search, trials = trials_of(material, build_console(NAMES, chain=(), master=()))
    assert not search.mixer.processor_ids
    assert trials(frozenset()) == pytest.approx(search.plain_loss, rel=1e-6)


def test_only_what_changes_is_rendered(material):
    _, trials = trials_of(material, build_console(NAMES, chain=("eq", "gain"), master=("eq", "gain")))
    G = trials.G

    def of(owner, node_type):
        (node,) = (i for i, d in G.nodes(data=True) if d.get("owner") == owner and d["node_type"] == node_type)
        return node

    def rendered(*removed):
        rest, sources = downstream(G, trials.without(removed), set(G))
        types = [data["node_type"] for _, data in rest.nodes(data=True)]
        assert types.count("in") == len(sources)
        return {n for n, data in rest.nodes(data=True) if data["node_type"] in ("eq", "gain")}, sources

    assert rendered() == (set(), [])
    assert rendered(of("master", "eq"))[0] == {of("master", "gain")}
    master = {of("master", "eq"), of("master", "gain")}
    parts, sources = rendered(of("pad", "eq"))
    assert parts == master | {of("pad", "gain")}  # which takes over its level
    assert {of("kick", "gain"), of("voice", "gain")} <= set(sources)
    assert rendered(of("pad", "eq"), of("kick", "gain"))[0] == master | {of("pad", "gain")}


def minus_decibels(estimate, target):
    """A loss that is negative where the estimate is near."""
    return 10 * ((estimate - target).square().sum() / target.square().sum() + 1e-9).log10() - 5


@pytest.mark.parametrize("loss", [None, minus_decibels], ids=["match", "negative"])
def test_a_trial_over_the_bound_is_told_so_and_no_other(material, several_excerpts, loss):
    search, trials = trials_of(material, random_console(1), loss=loss)
    nodes = search.mixer.processor_ids
    losses = {removed: loss_of_all(search, trials, removed) for removed in draws(nodes, 0, 1)}
    for removed, expected in losses.items():
        for bound in (expected * 0.9, expected * 0.999, expected * 1.001):
            trials._losses.clear()
            found = trials(removed, bound)
            assert (found > bound) == (expected > bound), (removed, bound)
            if expected <= bound or loss is not None:
                assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)
            again = trials(removed)
            assert again == pytest.approx(expected, rel=1e-4, abs=1e-5), "what was cut short is not kept"


def test_a_trial_stops_once_it_is_certain(material, several_excerpts, monkeypatch):
    _, trials = trials_of(material, random_console(1))
    heard = []
    judge = Judge.__call__
    monkeypatch.setattr(
        Judge, "__call__", lambda self, mix, excerpt: heard.append(excerpt) or judge(self, mix, excerpt)
    )
    whole = trials(frozenset())
    assert len(heard) == 3
    assert trials(frozenset(), 0.0) == whole and len(heard) == 3, "what is known is not rendered again"
    trials._losses.clear()
    assert 0 < trials(frozenset(), 0.01 * whole) < whole and len(heard) == 4


@pytest.mark.parametrize("bound", [0.1, float("inf")])
def test_nan_is_no_success(material, several_excerpts, bound):
    search, trials = trials_of(
        material, random_console(1), loss=lambda estimate, target: (estimate - target).abs().mean()
    )
    trials._judge = lambda mix, excerpt: torch.tensor(float("nan"))
    trials._judge.never_negative = True
    assert not trials(frozenset(search.mixer.processor_ids), bound) <= bound


def test_weights_of_the_graph_are_heard(material):
    """A trial of a graph whose weights are in use is not that of a wet one."""
    search, trials = trials_of(material, build_console(NAMES, chain=("compressor", "reverb")))
    node = search.mixer.processor_ids[0]
    before = trials(frozenset({node}))
    with torch.no_grad():
        search.mixer.z_drywet += 3
    after = search._trials()
    assert after.G.nodes[node][WEIGHT] > trials.G.nodes[node][WEIGHT]
    assert after(frozenset({node})) != pytest.approx(before, rel=1e-3)


# The judge


@pytest.fixture
def judge():
    return Judge(MatchLoss(RATE), 3.0, torch.device("cpu"))


def test_the_judge_compares_what_is_after_the_warm_up(material, judge):
    stems, mix = material
    estimate = stems.sum(0)
    for start in (0, 1000, 2000):
        excerpt = Excerpt(stems[..., start:], mix[:, start + 1000 :], start + 1000)
        expected = judge.loss(estimate[:, start + 1000 :], excerpt.mix, 3.0)
        for _ in range(2):
            assert torch.equal(judge(estimate[:, start:], excerpt), expected)


def test_excerpts_of_one_start_and_other_lengths_are_not_confused(material, judge):
    stems, mix = material
    whole, part = Excerpt(stems, mix), Excerpt(stems[..., :5000], mix[:, :5000])
    for excerpt in (whole, part, whole):
        length = excerpt.mix.shape[-1]
        expected = judge.loss(stems.sum(0)[:, :length], mix[:, :length], 3.0)
        assert torch.equal(judge(stems.sum(0)[:, :length], excerpt), expected)


def test_targets_that_are_forgotten_are_prepared_again(material, judge, several_excerpts, monkeypatch):
    monkeypatch.setattr(judges, "KEPT", 2)
    drawn = [random_excerpt(*material, RATE, seed) for seed in range(12)]
    drawn = [Excerpt(e.stems, e.mix, e.start) for e in drawn]
    for excerpt in drawn:
        estimate = excerpt.stems.sum(0)
        assert torch.equal(judge(estimate, excerpt), judge.loss(excerpt.scored(estimate), excerpt.mix, 3.0))
        assert len(judge._references) <= 2
    assert len({excerpt.start for excerpt in drawn}) > 2


def test_the_mean_is_over_excerpts_and_needs_no_graph(material, judge, several_excerpts):
    chosen = excerpts.evaluated_excerpts(*material, RATE)
    gain = torch.ones((), requires_grad=True)
    expected = [judge(gain.detach() * excerpt.stems.sum(0), excerpt).item() for excerpt in chosen]
    assert judge.mean(lambda stems: gain * stems.sum(0), chosen) == pytest.approx(sum(expected) / len(expected))


def test_a_loss_of_ones_own_is_given_the_excerpt(material):
    stems, mix = material
    judge = Judge(lambda estimate, target: (estimate - target).abs().mean(), 3.0, torch.device("cpu"))
    excerpt = Excerpt(stems, mix[:, 2000:], 2000)
    assert judge(stems.sum(0), excerpt) == (stems.sum(0)[:, 2000:] - mix[:, 2000:]).abs().mean()
    assert not judge.never_negative
