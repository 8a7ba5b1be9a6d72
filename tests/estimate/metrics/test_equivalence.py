"""One form for all graphs that sound the same."""

import inspect
import math
import random
import warnings

import grafx.processors as library
import pytest
import torch

from grafx.data import GRAFX, NodeConfigs
from grafx.errors import EstimateError
from grafx.estimate.metrics import canonical, compare_graphs
from grafx.estimate.metrics.order import outline
from grafx.estimate.metrics.stages import stage_of
from grafx.render import Renderer

RATE = 44100
SOUND = 0.1 * torch.randn(1, 2, 6000, generator=torch.Generator().manual_seed(0)).double()
RANDOM = "FilteredNoiseShapingReverb"  # another noise in every call


def linear_processors():
    found = {}
    for name in library.__all__:
        kind = getattr(library, name)
        if inspect.isclass(kind) and name != RANDOM:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)
                try:
                    found[name] = kind()
                except TypeError:
                    continue
    found["ConvolutionReverb"] = library.ConvolutionReverb(SOUND[0, :, :500].float())
    return {name: processor for name, processor in found.items() if stage_of(processor, {}, "")}


PROCESSORS = linear_processors()
OTHERS = {"tanh": library.TanhDistortion(), "lfo": library.LFO(), "split": library.LinkwitzRileyCrossover()}
CONFIG = NodeConfigs.from_processors({**PROCESSORS, **OTHERS})


def some_settings(processor, choose):
    """Away from the ends of all ranges, and short where there are times."""
    values = {}
    for leaf in processor.leaves():
        share = 0.02 if leaf.control.unit == "ms" else choose.uniform(0.2, 0.8)
        value = leaf.control.from_norm(torch.tensor(share, dtype=torch.float64)).expand(leaf.shape)
        values[leaf.path[0]] = value.tolist()
    return values


def chain(*stages):
    G = GRAFX(config=CONFIG)
    G.add_serial_chain(["in", *({"node_type": kind, "parameters": values} for kind, values in stages), "out"])
    return G


def types(G):
    (node,) = [node for node, node_type in G.nodes(data="node_type") if node_type == "in"]
    found = []
    while after := list(G.successors(node)):
        (node,) = after
        found.append(G.nodes[node]["node_type"])
    return found[:-1]


def heard(G):
    used = {kind for _, kind in G.nodes(data="node_type")}
    known = {**PROCESSORS, **OTHERS}
    return Renderer(G, {kind: known[kind] for kind in known if kind in used}).double()(SOUND.expand(inputs(G), -1, -1))


def inputs(G):
    return sum(kind == "in" for _, kind in G.nodes(data="node_type"))


def apart(G, H):
    one, other = heard(G), heard(H)
    assert one.norm() > 1e-9
    return ((one - other).norm() / one.norm()).item()


def even(decibels):
    return "StereoGain", {"left_gain_db": decibels, "right_gain_db": decibels}


def pan(left, right):
    return "StereoGain", {"left_gain_db": left, "right_gain_db": right}


def highpass(hertz):
    return "HighPassFilter", {"frequency_hz": hertz}


def lowpass(hertz):
    return "LowPassFilter", {"frequency_hz": hertz}


@pytest.mark.parametrize("name", PROCESSORS)
def test_every_linear_class_beside_others(name):
    choose = random.Random(name)
    own = name, some_settings(PROCESSORS[name], choose)
    others = ["HighPassFilter", "ZeroPhaseFIREqualizer", "Panner", "SideGainImager", "Chorus", "PingPongDelay"]
    stages = [(kind, some_settings(PROCESSORS[kind], choose)) for kind in choose.sample(others, 3)]
    G = chain(even(3), *stages[:2], own, pan(-3, 2), stages[2], even(-2))
    assert apart(G, canonical(G, PROCESSORS)) < 1e-6


def test_equivalent_orders_are_one():
    tanh = ("tanh", {"pre_gain_db": 6.0})
    echo = ("FeedbackDelay", {"time_ms": 20.0, "feedback": 0.3})
    for alike in [
        [[highpass(100), lowpass(2000)], [lowpass(2000), highpass(100)]],
        [[even(3), highpass(100), even(4)], [highpass(100), even(7)], [even(7.0), highpass(100)]],
        [[echo, highpass(100)], [highpass(100), echo]],
        [[("Chorus", {}), even(3)], [even(3), ("Chorus", {})]],
        [[pan(3, -3), lowpass(900)], [lowpass(900), pan(3, -3)], [pan(1, 0), lowpass(900), pan(2, -3)]],
        [
            [tanh, highpass(100)],
            [tanh, even(0), highpass(100)],
            [tanh, ("PeakingFilter", {"gain_db": 0.0}), highpass(100)],
        ],
        [[lowpass(500), lowpass(900)], [lowpass(900), lowpass(500)]],
        [[("SideGainImager", {"side_gain_db": 3.0}), even(2)], [even(2), ("SideGainImager", {"side_gain_db": 3.0})]],
        [[], [even(0)], [even(5), even(-5)], [pan(3, 1), pan(-3, -1)], [("StereoWidener", {"width": 1.0})]],
    ]:
        forms = [canonical(chain(*stages), {**PROCESSORS, **OTHERS}) for stages in alike]
        for stages, form in zip(alike, forms, strict=True):
            assert types(form) == types(forms[0])
            assert apart(chain(*stages), form) < 1e-5
            found = compare_graphs(chain(*alike[0]), chain(*stages), {**PROCESSORS, **OTHERS})
            assert (found.node_type_error, found.edge_f1, found.edit_distance) == (0, 1, 0)
            assert found.parameter_error is None or found.parameter_error < 1e-5


def test_others_are_not():
    tanh = ("tanh", {"pre_gain_db": 6.0})
    zero = ("ZeroPhaseFIREqualizer", {"magnitude_db": [3.0] + [0.0] * 1023})
    imager = ("SideGainImager", {"side_gain_db": 3.0})
    for one, other in [
        ([highpass(100), tanh], [tanh, highpass(100)]),
        ([even(3), tanh], [tanh, even(3)]),
        ([highpass(100), ("Chorus", {})], [("Chorus", {}), highpass(100)]),
        ([imager, pan(3, -3)], [pan(3, -3), imager]),
        ([zero, highpass(100)], [highpass(100), zero]),
        ([("Freeverb", {}), imager], [imager, ("Freeverb", {})]),
    ]:
        processors = {**PROCESSORS, **OTHERS}
        assert types(canonical(chain(*one), processors)) != types(canonical(chain(*other), processors))
        assert compare_graphs(chain(*one), chain(*other), processors).edge_f1 < 1
        assert compare_graphs(chain(*one), chain(*one), processors, equivalent=False).edge_f1 == 1


def test_order_counts_where_it_is_asked_for():
    G, H = chain(highpass(100), lowpass(2000)), chain(lowpass(2000), highpass(100))
    assert compare_graphs(G, H, PROCESSORS).edge_f1 == 1
    assert compare_graphs(G, H, PROCESSORS, equivalent=False).edge_f1 == 0


def test_neighbours_of_one_type_stand_for_the_closest():
    def bell(hertz, gain):
        return "PeakingFilter", {"frequency_hz": hertz, "gain_db": gain}

    G = chain(bell(100, 6), bell(105, -6), bell(4000, 3))
    H = chain(bell(104, 6), bell(101, -6), bell(4100, 3))
    found = compare_graphs(G, H, PROCESSORS)
    assert [(pair.truth, pair.estimate) for pair in found.pairs] == [(1, 1), (2, 2), (3, 3)]
    assert found.parameter_errors["PeakingFilter.gain_db"] == pytest.approx((0, 0), abs=1e-5)
    assert found.parameter_errors["PeakingFilter.frequency_hz"][1] == pytest.approx((4 + 4 + 100) / 3, rel=1e-4)


def test_forks_sums_generators_and_dead_ends(graphs):
    processors = {**PROCESSORS, **OTHERS}
    G = GRAFX(config=CONFIG)
    source, split, mix, out = (G.add(kind) for kind in ("in", "split", "mix", "out"))
    G.connect(source, split)
    for band in ("band0", "band1", "band2"):
        gain, low = G.add(*even(2)), G.add(*lowpass(3000))
        G.connect(split, gain, outlet=band)
        G.connect(gain, low)
        G.connect(low, mix)
    G.connect(mix, out)
    dead = G.add(*highpass(100))
    G.connect(source, dead)
    form = canonical(G, processors)
    assert form.validate() == [] and dead not in form and mix not in form
    assert apart(G, form) < 1e-6
    H = G.copy()
    for low, gain in [
        (n, p) for n, kind in G.nodes(data="node_type") if kind == "LowPassFilter" for p in G.predecessors(n)
    ]:
        for node, other in ((low, gain), (gain, low)):
            H.nodes[node].update(node_type=G.nodes[other]["node_type"], parameters=G.nodes[other]["parameters"])
    found = compare_graphs(G, graphs.renumbered(H, 1), processors)
    assert found.edge_f1 == 1 and found.parameter_error == pytest.approx(0, abs=1e-6)


def test_marks_of_nodes():
    G = chain(highpass(100), lowpass(2000), even(3))
    for change, left in [
        ({"audible": False}, ["HighPassFilter", "StereoGain"]),
        ({"audible": True}, ["HighPassFilter", "LowPassFilter", "StereoGain"]),
        ({"bypass": True}, ["HighPassFilter", "StereoGain"]),
        ({"drywet_weight": 0.0}, ["HighPassFilter", "StereoGain"]),
        ({"drywet_weight": 0.5}, ["HighPassFilter", "LowPassFilter", "StereoGain"]),
    ]:
        H = G.copy()
        H.nodes[2].update(change)
        assert types(canonical(H, PROCESSORS)) == left


def test_graphs_without_settings_keep_their_nodes():
    G = GRAFX(config=CONFIG)
    G.add_serial_chain(["in", "StereoGain", "StereoGain", "PeakingFilter", "HighPassFilter", "out"])
    assert types(canonical(G, PROCESSORS)) == ["HighPassFilter", "PeakingFilter", "StereoGain", "StereoGain"]


def test_the_form_of_a_form_and_the_graph_that_was_given(snapshot):
    choose = random.Random(3)
    for _ in range(4):
        names = choose.choices([*PROCESSORS], k=4)
        stages = [even(2), *((name, some_settings(PROCESSORS[name], choose)) for name in names), pan(1, 2)]
        choose.shuffle(stages)
        G = chain(*stages)
        before = snapshot(G)
        form = canonical(G, PROCESSORS)
        assert snapshot(G) == before
        assert outline(canonical(form, PROCESSORS)) == outline(form)
        assert set(form.nodes) <= set(G.nodes)


def test_merged_gains_are_physical_within_their_range():
    (gain,) = [
        data for _, data in canonical(chain(even(3), pan(1, -2)), PROCESSORS).nodes(data=True) if data["parameters"]
    ]
    assert gain["parameters"] == pytest.approx({"left_gain_db": 4, "right_gain_db": 1}, abs=1e-4)
    G = chain(even(20), even(20))
    (gain,) = [data for _, data in canonical(G, PROCESSORS).nodes(data=True) if data["parameters"]]
    assert gain["parameters"]["log_gain"] == pytest.approx([math.log(100)] * 2, abs=1e-4)
    assert apart(G, canonical(G, PROCESSORS)) < 1e-5


def test_what_has_no_processor_is_named():
    with pytest.raises(EstimateError, match=r"Node 1 .*'HighPassFilter'"):
        canonical(chain(highpass(100)), {})
    with pytest.raises(EstimateError, match="estimate must be a GRAFX"):
        compare_graphs(chain(), None, PROCESSORS)
