"""Graphs in blocks, against the same graphs on the whole."""

import io
import math
import random

import grafx.processors as gp
import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F

from grafx.data import GRAFX, NodeConfigs
from grafx.errors import GraphError, RenderError
from grafx.render import Renderer, StreamRenderer

LENGTH = 600


class Generator(nn.Module):
    """A ramp from 0 to 1, again and again, at a rate of its own."""

    inlets = ()

    def parameter_size(self):
        return {"rate": 1}

    def forward(self, rate, num_samples):
        return self.stream(rate=rate, num_samples=num_samples)[0]

    def stream(self, state=None, *, rate, num_samples):
        start = 0 if state is None else state
        phase = (start + torch.arange(num_samples).to(rate)) * rate.unsqueeze(-1).abs()
        return (phase % 1.0).expand(-1, 2, -1), start + num_samples


class Hold(nn.Module):
    """A delay by a fixed number of samples, which a cycle may lead through."""

    def __init__(self, num_samples):
        super().__init__()
        self.num_samples = num_samples

    def parameter_size(self):
        return {"gain": 1}

    def min_delay_samples(self, signal, gain):
        return self.num_samples

    def tail_samples(self, gain):
        return self.num_samples

    def forward(self, signal, gain):
        return gain.unsqueeze(-1) * F.pad(signal, (self.num_samples, 0))[..., : signal.shape[-1]]

    def stream(self, block, state=None, *, gain):
        past = block.new_zeros(*block.shape[:-1], self.num_samples) if state is None else state
        line = torch.cat([past, block], -1)
        return gain.unsqueeze(-1) * line[..., : block.shape[-1]], line[..., block.shape[-1] :].clone()


PROCESSORS = {
    "eq": gp.ZeroPhaseFIREqualizer(16),
    "bands": gp.LinkwitzRileyCrossover(3),
    "compressor": gp.Compressor(style="desk", sample_rate=44100, sidechain=True),
    "limiter": gp.Limiter(lookahead_ms=1.0),
    "delay": gp.MultitapDelay(segment_len=100, num_segments=2, zp_filter_bins=4),
    "reverb": gp.STFTMaskedNoiseReverb(ir_len=400, n_fft=32, hop_length=16),
    "filter": gp.ParametricEqualizer(num_filters=3),
    "drive": gp.TanhDistortion(use_bias=True),
    "imager": gp.SideGainImager(),
    "chain": gp.SerialChain({"eq": gp.ZeroPhaseFIREqualizer(8), "limiter": gp.Limiter(lookahead_ms=0.3)}),
    "mix of": gp.ParallelMix({"wet": gp.DryWet(gp.ZeroPhaseFIREqualizer(8), external_param=False), "d": gp.LowShelf()}),
    "ramp": Generator(),
}


def random_graph(seed):
    rng = random.Random(seed)
    G = GRAFX(config=NodeConfigs.from_processors(PROCESSORS))
    nodes = [G.add("in") for _ in range(rng.randint(1, 3))]
    for _ in range(rng.randint(1, 12)):
        node = G.add(rng.choice([*PROCESSORS, "mix"]))
        config = G.config[G.nodes[node]["node_type"]]
        for position, inlet in enumerate(config["inlets"]):
            for source in rng.sample(nodes, min(len(nodes), rng.randint(1 - position, 2))):
                G.connect(source, node, rng.choice(G.config[G.nodes[source]["node_type"]]["outlets"]), inlet)
        nodes.append(node)
    for source in rng.sample(nodes, rng.randint(1, min(3, len(nodes)))):
        G.connect(source, G.add("out"), rng.choice(G.config[G.nodes[source]["node_type"]]["outlets"]))
    return G


def blocks_of(x, seed, most=6):
    rng = random.Random(seed)
    edges = sorted(rng.randint(0, x.shape[-1]) for _ in range(rng.randint(0, most)))
    return x.split([b - a for a, b in zip([0, *edges], [*edges, x.shape[-1]], strict=True)], -1)


def rendered(stream, x, seed=0, tail=False):
    outputs = [stream(block) for block in blocks_of(x, seed)]
    return torch.cat([*outputs, stream.finish(tail=tail)], -1)[..., stream.latency_samples :]


def assert_close(got, expected, tolerance=1e-5):
    assert got.shape == expected.shape
    assert (got - expected).norm() <= tolerance * expected.norm() + 1e-9


@pytest.mark.parametrize("seeds", [range(first, first + 20) for first in range(0, 200, 20)], ids=lambda r: f"{r[0]}…")
@torch.no_grad()
def test_random_graphs_in_random_blocks_give_what_the_whole_does(seeds):
    for seed in seeds:
        torch.manual_seed(seed)
        renderer = Renderer(random_graph(seed), PROCESSORS)
        for parameter in renderer.parameters():
            parameter.mul_(30)
        sources = torch.randn(renderer.render_data.counts["in"], 2, LENGTH)
        stream = StreamRenderer(renderer.graph(), PROCESSORS)
        assert_close(rendered(stream, sources, seed), renderer(sources))


def chain(*node_types, parameters=None):
    G = GRAFX(config=NodeConfigs.from_processors(parameters or PROCESSORS))
    G.add_serial_chain(["in", *node_types, "out"])
    return G


@torch.no_grad()
def test_several_songs_at_once():
    torch.manual_seed(0)
    renderer = Renderer(random_graph(7), PROCESSORS)
    sources = torch.randn(3, renderer.render_data.counts["in"], 2, LENGTH)
    stream = StreamRenderer(renderer.G, PROCESSORS, renderer.per_type_parameters)
    assert_close(rendered(stream, sources), renderer(sources))


@torch.no_grad()
def test_in_double_precision():
    renderer = Renderer(random_graph(3), PROCESSORS).double()
    sources = torch.randn(renderer.render_data.counts["in"], 2, LENGTH, dtype=torch.double)
    stream = StreamRenderer(renderer.graph(), PROCESSORS)
    assert_close(rendered(stream, sources), renderer(sources), 1e-9)


@torch.no_grad()
def test_the_end_is_what_more_silence_gives():
    renderer = Renderer(chain("filter", "reverb", "eq", "compressor", "delay"), PROCESSORS)
    x = torch.randn(1, 2, LENGTH)
    stream = StreamRenderer(renderer.graph(), PROCESSORS)
    y = rendered(stream, x, tail=True)
    assert y.shape[-1] == LENGTH + stream.tail_samples() and stream.tail_samples() > 600
    longer = renderer(F.pad(x, (0, 5000)))
    assert_close(y, longer[..., : y.shape[-1]])
    assert longer[..., y.shape[-1] :].abs().max() < 1e-3 * longer.abs().max()


@torch.no_grad()
def test_goes_on_from_a_state_that_was_saved():
    renderer = Renderer(random_graph(11), PROCESSORS)
    x = torch.randn(renderer.render_data.counts["in"], 2, LENGTH)
    first, second = (StreamRenderer(renderer.graph(), PROCESSORS) for _ in range(2))
    first(x[..., :500])
    file = io.BytesIO()
    torch.save(first.state, file)
    expected = first(x[..., 500:])
    second.state = torch.load(io.BytesIO(file.getvalue()), weights_only=True)
    assert torch.equal(second(x[..., 500:]), expected)


@torch.no_grad()
def test_parameters_may_change_between_blocks():
    G = chain("reverb")
    stream = StreamRenderer(G, PROCESSORS, {"reverb": {k: torch.zeros(1, *v) for k, v in sizes("reverb").items()}})
    x = torch.randn(1, 2, 600)
    before = stream(x)
    stream.state = None
    stream.per_type_parameters["reverb"]["init_log_magnitude"][..., :5] = 30
    assert (stream(x) - before).norm() > 0.1 * before.norm()


def sizes(node_type):
    return PROCESSORS[node_type].parameter_size()


@torch.no_grad()
def test_common_parameters_reach_processors():
    processors = {"wet": gp.DryWet(gp.ZeroPhaseFIREqualizer(16))}
    renderer = Renderer(chain("wet", parameters=processors), processors, {"wet": {"log_magnitude": torch.ones(1, 16)}})
    stream = StreamRenderer(renderer.G, processors, renderer.per_type_parameters)
    weight = {"drywet_weight": torch.full((3,), 0.3)}
    x = torch.randn(1, 1, 300)
    y = torch.cat([stream(x, weight), stream.finish(weight, tail=False)], -1)
    assert_close(y[..., stream.latency_samples :], renderer(x, weight))


@torch.no_grad()
def test_sources_may_have_parameters_of_their_own():
    torch.manual_seed(0)
    G = GRAFX(config=NodeConfigs.from_processors(PROCESSORS))
    end, last, delay, source = (G.add(node_type) for node_type in ("out", "eq", "delay", "in"))
    for a, b in ((source, delay), (delay, last), (last, end)):
        G.connect(a, b)
    G.add_serial_chain(["in", "eq", "filter", "eq", "out"])
    shapes = Renderer(G, PROCESSORS).per_type_parameters
    for count in (2, 3):  # one of which is the number of equalizers
        parameters = {t: {name: torch.randn(count, *v.shape) for name, v in own.items()} for t, own in shapes.items()}
        stream = StreamRenderer(G, PROCESSORS, parameters)
        x = torch.randn(count, 2, 2, LENGTH)
        y = rendered(stream, x, tail=True)
        for i in range(count):
            own = {t: {name: value[i] for name, value in tree.items()} for t, tree in parameters.items()}
            alone = StreamRenderer(G, PROCESSORS, own)
            assert alone.tail_samples() <= stream.tail_samples()
            expected = rendered(alone, x[i], tail=True)
            assert_close(y[i, ..., : expected.shape[-1]], expected)


@pytest.mark.parametrize("rows", [1, 3])
def test_parameters_that_lack_rows_or_have_too_many_are_refused(rows):
    with pytest.raises(RenderError, match=rf"'log_magnitude' of type 'eq' has shape \({rows}, 16\), but should have 2"):
        StreamRenderer(chain("eq", "drive", "eq"), PROCESSORS, {"eq": {"log_magnitude": torch.zeros(rows, 16)}})


def test_a_graph_is_made_ready_and_renumbered_and_not_copied_besides(monkeypatch):
    made, build = [], GRAFX.__init__

    def counted(self, *args, **kwargs):
        made.append(self)
        build(self, *args, **kwargs)

    graphs = chain("eq", "limiter"), GRAFX()
    graphs[1].add_serial_chain(["in", "eq", "limiter", "out"])
    monkeypatch.setattr(GRAFX, "__init__", counted)
    for G in graphs:
        made.clear()
        StreamRenderer(G, PROCESSORS)
        assert len(made) == 2


WET = {
    "eq": gp.DryWet(gp.ZeroPhaseFIREqualizer(16)),
    "limiter": gp.DryWet(gp.Limiter(lookahead_ms=1.0)),
    "delay": gp.DryWet(gp.MultitapDelay(segment_len=100, num_segments=2, zp_filter_bins=4)),
    "gain": gp.DryWet(gp.LowShelf()),
    "chain": gp.SerialChain({"eq": gp.DryWet(gp.ZeroPhaseFIREqualizer(8)), "drive": gp.DryWet(gp.TanhDistortion())}),
    "mix of": gp.ParallelMix({"eq": gp.DryWet(gp.ZeroPhaseFIREqualizer(8)), "d": gp.DryWet(gp.LowShelf())}),
}
"""All take a weight that is given for all nodes at once, and look ahead by different times."""


def pruned_desk(seed):
    """Strips, buses and a master, each with any of the processors; a bus may have one strip, or nothing to do."""
    rng = random.Random(seed)
    G = GRAFX(config=NodeConfigs.from_processors(WET))
    density = rng.random()

    def strip(node):
        for node_type in WET:
            if rng.random() < density:
                before, node = node, G.add(node_type)
                G.connect(before, node)
        return node

    master = G.add("mix")
    buses = [G.add("mix") for _ in range(rng.randint(0, 2))]
    loose = list(buses)
    for _ in range(max(len(buses), rng.randint(1, 4))):
        G.connect(strip(G.add("in")), loose.pop() if loose else rng.choice([*buses, master]))
    for bus in buses:
        G.connect(strip(bus), master)
    G.connect(strip(master), G.add("out"))
    strip(rng.choice(list(G)[:-1]))  # leads nowhere
    return G


@pytest.mark.parametrize("seeds", [range(first, first + 10) for first in range(0, 20, 10)], ids=lambda r: f"{r[0]}…")
@torch.no_grad()
@pytest.mark.slow
def test_pruned_desks_take_weights_for_all_nodes(seeds):
    for seed in seeds:
        torch.manual_seed(seed)
        rng = random.Random(seed)
        renderer = Renderer(pruned_desk(seed), WET)
        for parameter in renderer.parameters():
            parameter.normal_(std=0.3)
        batch = rng.choice([(), (2,)])
        x = torch.randn(*batch, renderer.render_data.counts["in"], rng.choice([1, 2]), LENGTH)
        weights = torch.rand(*batch, len(renderer.G))
        stream = StreamRenderer(renderer.graph(), WET)
        before = [data["id_before"] for _, data in sorted(stream.G.nodes(data=True))]
        rows = [i if i in renderer.G else 0 for i in before]
        size = rng.choice([61, 255, 2 * LENGTH])
        blocks = [stream(block, {"drywet_weight": weights[..., rows]}) for block in x.split(size, -1)]
        for tail in (False, True) if size > LENGTH else (False,):
            state = stream.state
            end = stream.finish({"drywet_weight": weights[..., rows]}, tail=tail)
            stream.state = state
            y = torch.cat([*blocks, end], -1)[..., stream.latency_samples :]
            silence = stream.tail_samples() if tail else 0
            assert_close(y, renderer(F.pad(x, (0, silence)), {"drywet_weight": weights}), 2e-5)


@torch.no_grad()
def test_names_of_types_that_wait_do_not_take_those_of_the_graph():
    processors = {"wait 15": gp.TanhDistortion(), "eq": gp.ZeroPhaseFIREqualizer(16)}
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    mix = G.add("mix")
    for node_type in processors:
        G.connect(G.add_serial_chain(["in", node_type])[1], mix)
    G.connect(mix, G.add("out"))
    renderer = Renderer(G, processors)
    x = torch.randn(2, 1, LENGTH)
    stream = StreamRenderer(renderer.graph(), processors)
    assert_close(rendered(stream, x), renderer(x))
    assert "wait 15+" in stream.G.config and stream.G.validate() == []


def looped(delay, gain=0.5, between=()):
    """An echo: what comes out of a delay goes into it again."""
    processors = {"hold": Hold(delay), **PROCESSORS}
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    source, mix = G.add("in"), G.add("mix")
    hold = G.add("hold", parameters={"gain": torch.tensor([gain])})
    more = [G.add(t, parameters={k: torch.zeros(n) for k, n in sizes(t).items()}) for t in between]
    G.connect(source, mix)
    for a, b in zip([mix, hold, *more], [hold, *more, mix], strict=True):
        G.connect(a, b)
    G.connect(mix, G.add("out"))
    return G, processors


@pytest.mark.parametrize("delay", [1, 100])
def test_a_cycle_through_a_delay_echoes(delay):
    stream = StreamRenderer(*looped(delay))
    x, rng = torch.zeros(1, 1, 1000), random.Random(0)
    x[..., 0] = 1
    blocks, start = [], 0
    while start < 1000:
        length = rng.randint(0, delay)
        blocks.append(stream(x[..., start : start + length]))
        start += length
    expected = torch.zeros(1000)
    expected[::delay] = 0.5 ** torch.arange(len(expected[::delay]))
    torch.testing.assert_close(torch.cat(blocks, -1)[0, 0, :1000], expected)


def test_a_cycle_sounds_until_it_has_died_away():
    stream = StreamRenderer(*looped(100))
    x = torch.zeros(1, 1, 100)
    x[..., 0] = 1
    y = torch.cat([stream(x), stream.finish()], -1)[0, 0]
    assert y.nonzero().max() >= 900  # 0.5 ** 10 is the first below -60 dB
    assert y.shape[-1] < 2000


def test_a_cycle_that_does_not_die_away_ends_at_the_limit():
    stream = StreamRenderer(*looped(100, gain=1.0))
    stream(torch.ones(1, 1, 100))
    assert stream.finish(limit=1234).shape[-1] == 1234


def test_a_cycle_is_cut_at_its_longest_delay():
    processors = {"hold": Hold(64), "short": Hold(1)}
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    source, mix = G.add("in"), G.add("mix")
    short, long = (G.add(t, parameters={"gain": torch.ones(1)}) for t in ("short", "hold"))
    for a, b in ((source, mix), (mix, short), (short, long), (long, mix), (mix, G.add("out"))):
        G.connect(a, b)
    stream = StreamRenderer(G, processors)
    x = torch.zeros(1, 1, 64)
    x[..., 0] = 1
    y = torch.cat([stream(x), stream(0 * x), stream(0 * x)], -1)[0, 0]
    assert y.nonzero().flatten().tolist() == [0, 65, 130]


def test_two_cycles_with_filters_follow_a_loop_over_samples():
    """y[n] = x[n] + tanh(0.5 y[n − 3]) + 0.25 y[n − 5]."""
    processors = {"three": Hold(3), "five": Hold(5), "drive": gp.TanhDistortion(pre_post_gain=False)}
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    source, mix, drive, end = G.add("in"), G.add("mix"), G.add("drive"), G.add("out")
    three = G.add("three", parameters={"gain": torch.tensor([0.5])})
    five = G.add("five", parameters={"gain": torch.tensor([0.25])})
    for a, b in ((source, mix), (mix, three), (three, drive), (drive, mix), (mix, five), (five, mix), (mix, end)):
        G.connect(a, b)
    stream = StreamRenderer(G, processors)
    x = torch.randn(1, 1, 200, generator=torch.Generator().manual_seed(0))
    y = torch.cat([stream(block) for block in x.split(3, -1)], -1)[0, 0]
    past = [0.0] * 5
    for n in range(200):
        past.append(x[0, 0, n].item() + torch.tensor(0.5 * past[-3]).tanh().item() + 0.25 * past[-5])
    torch.testing.assert_close(y, torch.tensor(past[5:]), rtol=1e-4, atol=1e-5)


def test_a_delay_shorter_than_the_block_is_refused_and_nothing_is_lost():
    stream = StreamRenderer(*looped(100))
    stream(torch.ones(1, 1, 100))
    kept = stream.state
    with pytest.raises(RenderError, match=r"type 'hold' delays by 100 samples in a cycle, .* at most 100 samples"):
        stream(torch.ones(1, 1, 101))
    assert stream.state is kept


def test_a_cycle_without_a_delay_is_refused():
    G = GRAFX(config=NodeConfigs.from_processors(PROCESSORS))
    source, a, b, end = G.add("in"), G.add("drive"), G.add("filter"), G.add("out")
    for pair in ((source, a), (a, b), (b, a), (b, end)):
        G.connect(*pair)
    with pytest.raises(GraphError, match=r"cycle 1 \(drive\) -> 2 \(filter\) -> 1 \(drive\) without a delay"):
        StreamRenderer(G, PROCESSORS)


def test_a_cycle_through_something_that_looks_ahead_is_refused():
    with pytest.raises(GraphError, match=r"Node 3 \(eq\) looks 15 samples ahead and is part of a cycle"):
        StreamRenderer(*looped(100, between=["eq"]))


def test_processors_that_cannot_run_in_blocks_are_refused():
    whole = {"drive": gp.TanhDistortion(remove_dc=True)}
    with pytest.raises(RenderError, match=r"type 'drive', a TanhDistortion, cannot run .*: TanhDistortion needs the"):
        StreamRenderer(chain("drive", parameters=whole), whole)

    class Plain(nn.Module):
        def parameter_size(self):
            return {}

        def forward(self, x):
            return x

    with pytest.raises(RenderError, match=r"type 'plain', a Plain, cannot run .*: Plain has no method stream"):
        StreamRenderer(chain("plain", parameters={"plain": Plain()}), {"plain": Plain()})


def test_wrong_use_is_refused():
    stream = StreamRenderer(chain("drive"), PROCESSORS)
    with pytest.raises(RenderError, match="has 2 source"):
        stream(torch.zeros(2, 1, 10))
    with pytest.raises(RenderError, match="render at least one block first"):
        stream.finish()
    with pytest.raises(GraphError, match="takes a GRAFX, not a str"):
        StreamRenderer("graph", PROCESSORS)
    with pytest.raises(RenderError, match="no processor"):
        StreamRenderer(chain("drive"), {})


def test_a_node_with_many_readers_is_computed_once():
    class Counting(Hold):
        calls = 0

        def stream(self, *arguments, **parameters):
            Counting.calls += 1
            return super().stream(*arguments, **parameters)

    processors = {"hold": Counting(3), **PROCESSORS}
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    source = G.add("in")
    hold = G.add("hold")
    G.connect(source, hold)
    for _ in range(5):
        drive = G.add("drive")
        G.connect(hold, drive)
        G.connect(drive, G.add("out"))
    stream = StreamRenderer(G, processors)
    for _ in range(2):
        stream(torch.zeros(1, 1, 10))
    assert Counting.calls == 2


@torch.no_grad()
def test_a_state_holds_all_that_finishing_needs():
    expected, restored = (StreamRenderer(*looped(100)) for _ in range(2))
    x = torch.zeros(1, 1, 100)
    x[..., 0] = 1
    expected(x)
    restored.state = expected.state
    assert torch.equal(restored.finish(), expected.finish())
    restored.state = None
    with pytest.raises(RenderError, match="render at least one block first"):
        restored.finish(tail=False)


@torch.no_grad()
def test_a_state_of_another_graph_is_refused():
    first, second = (StreamRenderer(chain(*types), PROCESSORS) for types in (["drive"], ["drive", "filter"]))
    first(torch.zeros(1, 1, 10))
    for state in (first.state, (1, 2), "state", {}, {**first.state, "whose": torch.zeros(2)}):
        second.state = state
        with pytest.raises(RenderError, match=r"of another graph \(.*\): set stream.state to one of this graph, with"):
            second(torch.zeros(1, 1, 10))


def test_a_state_of_other_cables_processors_or_options_is_refused_before_any_work(monkeypatch):
    def stream(first=gp.LowShelf, swapped=False, member=gp.LowPassFilter, **options):
        processors = {
            "a": first(**options),
            "b": gp.SerialChain({"inner": member()}),
            "c": gp.TanhDistortion(),
        }
        G = GRAFX(config=NodeConfigs.from_processors(processors))
        source, a, b, c, end = map(G.add, ("in", "a", "b", "c", "out"))
        G.connect(source, b if swapped else a)
        G.connect(b if swapped else a, a if swapped else b)
        G.connect(a if swapped else b, c)
        G.connect(c, end)
        return StreamRenderer(G, processors)

    x = torch.randn(1, 2, 20)
    streams = {
        "edges": stream(swapped=True),
        "a is that of a HighShelf, not of a LowShelf": stream(gp.HighShelf),
        "a.sample_rate is 48000, not 44100": stream(sample_rate=48000),
        "a.num_filters is 2, not 1": stream(num_filters=2),
        "b.processors.inner is that of a HighPassFilter, not of a LowPassFilter": stream(member=gp.HighPassFilter),
    }
    own, twin = stream(), stream()
    own(x)
    twin.state = own.state
    assert torch.equal(twin(x), own(x))
    for other in streams.values():
        other(x)
    for processor in own.processors.values():
        monkeypatch.setattr(processor, "forward", None)
    for words, other in streams.items():
        own.state = other.state
        with pytest.raises(RenderError, match=rf"of another graph \(.*{'' if words == 'edges' else words}.*\): set"):
            own(x)
        assert own.state is other.state


def test_errors_name_the_nodes_of_the_graph_that_was_given():
    G = GRAFX(config=NodeConfigs.from_processors(PROCESSORS))
    end, imager, source = G.add("out"), G.add("imager"), G.add("in")
    G.connect(source, imager)
    G.connect(imager, end)
    with pytest.raises(ValueError, match="stereo") as caught:
        StreamRenderer(G, PROCESSORS)(torch.zeros(1, 1, 10))
    assert f"In the graph that was given, the nodes of this step are {imager}." in caught.value.__notes__


@pytest.mark.parametrize("batched", [False, True])
def test_what_is_not_finite_is_refused_by_node_and_sample_and_the_state_goes_on(batched):
    class Broken(nn.Module):
        latency_samples = 0

        def parameter_size(self):
            return {}

        def stream(self, x, state=None):
            return torch.where(x > 50, math.nan, x), state

    processors = {"echo": gp.FeedbackDelay(max_time_ms=5), "odd": Broken()}
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    first, _ = G.add_serial_chain(["in", "echo", "mix", "out"])
    second, _ = G.add_serial_chain(["in", "odd"])
    odd = second + 1
    G.connect(odd, first + 2)
    stream = StreamRenderer(G, processors)
    x = torch.randn(*([2] if batched else []), 2, 2, 300, generator=torch.Generator().manual_seed(0))
    a, b, c = x.split(100, -1)
    expected = [stream(a), stream(b), stream(c)]
    stream.state = None
    stream(a)
    state = stream.state
    for inlet, node, value, kind in ((0, first, math.inf, "in"), (1, second, math.nan, "in"), (1, odd, 60.0, "odd")):
        spoilt = b.clone()
        spoilt[..., inlet, 1, 17] = value
        with pytest.raises(
            RenderError, match=rf"node {node} of type '{kind}' is NaN or infinite, first in sample 117 "
        ):
            stream(spoilt)
        assert stream.state is state
    torch.testing.assert_close(stream(b), expected[1], rtol=0, atol=0)
    torch.testing.assert_close(stream(c), expected[2], rtol=0, atol=0)
