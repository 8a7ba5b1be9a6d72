"""Omitted parameters are at the default of their control, in any combination and form."""

import grafx.processors as gp
import pytest
import torch

from grafx.data import GRAFX, NodeConfigs, load_grafx, save_grafx
from grafx.parameters.tensors import collect_parameters, map_tensors
from grafx.render import Renderer, StreamRenderer, prepare_render, render_grafx

PROCESSORS = {
    "bands": gp.ParametricEqualizer(num_filters=10),
    "compressor": gp.Compressor(style="desk", sample_rate=44100, sidechain=False),
    "gain": gp.StereoGain(),
    "delay": gp.MultitapDelay(segment_len=100, num_segments=2, num_delay_per_segment=2),
    "chain": gp.SerialChain({"wet": gp.DryWet(gp.LowShelf(), external_param=False), "gain": gp.StereoGain()}),
    "mix of": gp.ParallelMix({"peak": gp.PeakingFilter(3), "drive": gp.TanhDistortion()}),
}
DEFAULTS = {node_type: processor.dsp_to_raw({}, 2) for node_type, processor in PROCESSORS.items()}


def desk():
    """Two strips in series with each processor once."""
    G = GRAFX(config=NodeConfigs.from_processors(PROCESSORS))
    G.add_serial_chain(["in", *PROCESSORS, *PROCESSORS, "out"])
    return G


def nodes_of(G, node_type):
    return [i for i, data in sorted(G.nodes(data=True)) if data["node_type"] == node_type]


def assert_same(found, expected):
    for name, value in expected.items():
        if isinstance(value, dict):
            assert_same(found[name], value)
        else:
            torch.testing.assert_close(found[name].data, value, msg=name)
    assert set(found.keys()) == set(expected)


def of_renderer(G, parameters=None):
    return Renderer(G, PROCESSORS, parameters).per_type_parameters


def of_stream(G, parameters=None):
    return StreamRenderer(G, PROCESSORS, parameters).per_type_parameters


def collected(G, parameters=None):
    return {**collect_parameters(G, PROCESSORS), **(parameters or {})}


RENDERERS = {"Renderer": of_renderer, "StreamRenderer": of_stream}


@pytest.mark.parametrize("find", [*RENDERERS.values(), collected], ids=[*RENDERERS, "collect_parameters"])
@pytest.mark.parametrize("empty", [None, {}])
def test_nothing_is_given(find, empty):
    G = desk()
    for _, data in G.nodes(data=True):
        data["parameters"] = empty
    assert_same(find(G), DEFAULTS)


@pytest.mark.parametrize("find", [*RENDERERS.values(), collected], ids=[*RENDERERS, "collect_parameters"])
@pytest.mark.parametrize(
    "node_type, physical, raw",
    [
        ("gain", {"left_gain_db": -6.0}, {}),
        ("bands", {"gain_db": torch.arange(10.0)}, {"log_gain": torch.linspace(0, 1, 10)[None]}),
        ("compressor", {"ratio": 3.0}, {"log_ratio": torch.ones(1)}),
        ("delay", {"focus": 0.5}, {"log_fir_magnitude": torch.ones(8, 20)}),
        ("chain", {"wet": {"gain_db": 3.0}}, {"wet": {"log_gain": torch.ones(1)}}),
        ("chain", {"gain": {"left_gain_db": 3.0}}, {"gain": {"log_gain": torch.ones(2)}}),
        ("mix of", {"gains_db": torch.tensor([0.0, -6.0])}, {"parallel_weights": torch.ones(2)}),
    ],
)
def test_one_parameter_of_one_node_changes_that_alone(find, node_type, physical, raw):
    G = desk()
    second = nodes_of(G, node_type)[1]
    for given in (physical, raw):
        G.nodes[second]["parameters"] = given
        own = PROCESSORS[node_type].dsp_to_raw(physical, 1) if given is physical else overlaid(node_type, raw)
        expected = map_pairs(DEFAULTS[node_type], own, lambda default, value: torch.cat([default[:1], value]))
        assert_same(find(G), {**DEFAULTS, node_type: expected})


def overlaid(node_type, raw):
    tree = map_tensors(DEFAULTS[node_type], lambda value: value[:1].clone())
    for name, value in raw.items():
        if isinstance(value, dict):
            tree[name].update({key: inner[None] for key, inner in value.items()})
        else:
            tree[name] = value[None]
    return tree


def map_pairs(first, second, function):
    if isinstance(first, torch.Tensor):
        return function(first, second)
    return {name: map_pairs(first[name], second[name], function) for name in first}


@pytest.mark.parametrize("find", RENDERERS.values(), ids=RENDERERS)
def test_tensors_of_some_types_and_of_some_parameters(find):
    G = desk()
    G.nodes[nodes_of(G, "compressor")[0]]["parameters"] = {"threshold_db": -30.0}
    gains = torch.randn(2, 2)
    levels = torch.randn(2, 1, 10)
    shelf = torch.randn(2, 1)
    given = {"gain": {"log_gain": gains}, "bands": {"log_gain": levels}, "chain": {"wet": {"log_gain": shelf}}}
    held = PROCESSORS["compressor"].dsp_to_raw({"threshold_db": torch.tensor([-30.0, -20.0])}, 2)
    held["log_threshold"][1] = DEFAULTS["compressor"]["log_threshold"][1]
    chain = {**DEFAULTS["chain"], "wet": {**DEFAULTS["chain"]["wet"], "log_gain": shelf}}
    bands = {**DEFAULTS["bands"], "log_gain": levels}
    expected = {**DEFAULTS, "gain": {"log_gain": gains}, "bands": bands, "chain": chain, "compressor": held}
    assert_same(find(G, given), expected)
    assert_same(find(desk(), {}), DEFAULTS)


@pytest.mark.parametrize("find", RENDERERS.values(), ids=RENDERERS)
def test_defaults_have_the_type_of_what_is_given(find):
    found = find(desk(), {"bands": {"log_gain": torch.zeros(2, 1, 10, dtype=torch.double)}})
    G = desk()
    G.nodes[nodes_of(G, "gain")[0]]["parameters"] = {"log_gain": torch.zeros(2, dtype=torch.double)}
    for tree in (found, find(G)):
        dtypes = []
        map_tensors(tree, lambda value, dtypes=dtypes: dtypes.append(value.dtype))
        assert set(dtypes) == {torch.double}


@torch.no_grad()
def test_saved_graphs_render_with_defaults(tmp_path):
    G = desk()
    gain = nodes_of(G, "gain")[0]
    G.nodes[gain]["parameters"] = {"left_gain_db": -6.0}
    save_grafx(G, tmp_path)
    loaded, _, _ = load_grafx(tmp_path)
    x = torch.randn(1, 2, 300, generator=torch.Generator().manual_seed(0))
    expected = Renderer(G, PROCESSORS)(x)
    renderer = Renderer(loaded, PROCESSORS)
    torch.testing.assert_close(renderer(x), expected)
    parameters = collect_parameters(renderer.G, PROCESSORS)
    torch.testing.assert_close(render_grafx(PROCESSORS, x, parameters, prepare_render(renderer.G))[0], expected)


def test_types_without_controls_begin_at_random_and_do_not_hang_on_other_types(toys):
    processors = {**toys.make(), "level": gp.StereoGain()}
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    G.add_serial_chain(["in", "gain", "level", "out"])
    for parameters in (None, {"left_gain_db": -6.0}):
        G.nodes[2]["parameters"] = parameters
        value = Renderer(G, processors).per_type_parameters["gain"]["gain"]
        assert 0 < value.abs().item() < 0.1
