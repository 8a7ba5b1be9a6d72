import itertools
from types import SimpleNamespace

import grafx.processors as library
import pytest
import torch
from nodes_alone import graph_of

from grafx.data import GRAFX, NodeConfigs
from grafx.errors import AudioError, GraphError, RenderError
from grafx.parameters.tensors import scatter_parameters
from grafx.render import Renderer, prepare_render, render_grafx, reorder_for_fast_render
from grafx.report import hear
from grafx.report import heard as hearing
from grafx.search import Mixer, build_console, render_mix

RATE = 16000


def stems(count, length=6000, seed=0):
    return 0.2 * torch.randn(count, 2, length, generator=torch.Generator().manual_seed(seed))


def mixed_graph(**console):
    """A console whose nodes have random parameters and weights, one of which is bypassed."""
    G = build_console(["drums", "bass", "voice"], chain=["eq", "compressor", "imager", "gain"], **console)
    G = Mixer(G, RATE).graph()
    generator = torch.Generator().manual_seed(3)
    for node, data in G.nodes(data=True):
        if "drywet_weight" in data:
            data["drywet_weight"] = 0.2 + 0.7 * torch.rand((), generator=generator).item()
            for name, value in data["parameters"].items():
                data["parameters"][name] = value + 0.3 * torch.randn(value.shape, generator=generator)
            data.pop("settings", None)
            data["bypass"] = node == 9
    return G


@pytest.mark.parametrize(
    "console",
    [{"groups": {"band": ["drums", "bass"]}}, {"returns": {"room": ["reverb"]}, "sidechains": {"bass": "drums"}}],
)
def test_all_nodes_of_a_mixing_graph_sound_as_in_the_mixer(console):
    G, sources = mixed_graph(**console), stems(3)
    heard = hear(G, sources, RATE)
    mixer = Mixer(G.copy(), RATE)
    for node, data in mixer.G.nodes(data=True):
        if data.get("bypass"):
            mixer.z_drywet.data[node] = -100.0
    signals = mixer.signals(sources)
    # The mixer renumbers: what is at the same place of the same type, by owner and name, is the same.
    place = {}
    for H, kind in ((G, "own"), (mixer.G, "mixer")):
        for node, data in sorted(H.nodes(data=True)):
            place.setdefault((data["node_type"], data.get("owner"), data.get("name")), {}).setdefault(kind, []).append(
                node
            )
    for found in place.values():
        assert len(found["own"]) == len(found["mixer"]) == 1
        own, other = found["own"][0], found["mixer"][0]
        assert torch.allclose(heard.outputs[own][0], signals[other], atol=2e-5)
    assert torch.allclose(heard.mix, render_mix(G, sources, RATE), atol=2e-6)


def test_stems_are_placed_as_in_the_mix():
    G, sources = mixed_graph(), stems(3)
    G.nodes[0]["delay_samples"], G.nodes[1]["delay_samples"], G.nodes[2]["inverted"] = 40, -30, True
    heard = hear(G, sources, RATE)
    assert torch.allclose(heard.mix, render_mix(G, sources, RATE), atol=2e-6)
    assert torch.equal(heard.outputs[0][0][:, 40:], sources[0][:, :-40]) and not heard.outputs[0][0][:, :40].any()
    assert torch.equal(heard.outputs[2][0], -sources[2]) and torch.equal(heard.sources, sources)


def test_ids_stay_those_of_the_graph():
    G = mixed_graph()
    G.nodes[5]["name"] = "first"
    for node in (12, 14):
        G.bypass(node)
    heard = hear(G, stems(3), RATE)
    assert set(heard.outputs) == set(G.nodes) and sorted(heard.inputs) == sorted(G.nodes) and 12 not in heard.outputs
    assert torch.allclose(heard.mix, render_mix(G, stems(3), RATE), atol=2e-6)


def test_any_graph_sounds_as_the_reference_renderer_has_it(toys, reference_render):
    G = GRAFX(config=toys.config)
    a, b, tone, impulse = G.add("in"), G.add("in"), G.add("tone"), G.add("impulse")
    split, ring, fir, nested, total = G.add("split"), G.add("ring"), G.add("fir"), G.add("nested"), G.add("total")
    mix, out, other = G.add("mix"), G.add("out"), G.add("out")
    for source, dest, outlet, inlet in (
        (a, split, "main", "main"),
        (split, ring, "main", "main"),
        (tone, ring, "main", "side"),
        (split, fir, "side", "main"),
        (b, fir, "main", "main"),
        (ring, nested, "main", "main"),
        (nested, mix, "main", "main"),
        (impulse, mix, "main", "main"),
        (fir, total, "main", "main"),
        (total, mix, "main", "main"),
        (mix, out, "main", "main"),
        (fir, other, "main", "main"),
    ):
        G.connect(source, dest, outlet=outlet, inlet=inlet)
    processors = {t: p for t, p in toys.make().items() if t in dict(G.nodes(data="node_type")).values()}
    parameters = toys.parameters(processors, G)
    scatter_parameters(G, parameters)
    sources = stems(2).double()
    heard = hear(G, sources, RATE, processors)
    outlets, _ = reference_render(G, processors, sources, parameters)
    for node in G.nodes:
        assert len(heard.outputs[node]) == len(outlets[node])
        for own, expected in zip(heard.outputs[node], outlets[node], strict=True):
            assert torch.allclose(own, expected.detach(), atol=1e-12)
    assert heard.inputs[tone] == heard.inputs[a] == {}
    assert torch.allclose(heard.inputs[fir]["main"], outlets[split][1].detach() + sources[1], atol=1e-12)
    assert heard.inputs[ring]["side"] is heard.outputs[tone][0]
    assert torch.equal(heard.mix, heard.outputs[out][0] + heard.outputs[other][0])


def test_an_inlet_without_a_cable_reads_silence(toys):
    G = GRAFX(config=toys.config)
    a, ring, out = G.add("in"), G.add("ring", parameters={"depth": torch.ones(1)}), G.add("out")
    G.connect(a, ring)
    G.connect(ring, out)
    heard = hear(G, stems(1), RATE, toys.make())
    assert torch.equal(heard.outputs[ring][0], stems(1)[0]) and not heard.inputs[ring]["side"].any()


def test_outputs_are_the_signals_of_a_render():
    G, node = graph_of(library.Compressor(style="desk", sample_rate=RATE), {"threshold_db": -30.0})
    processors = {"p": library.Compressor(style="desk", sample_rate=RATE)}
    heard = hear(G, stems(1), RATE, processors)
    renderer = Renderer(G, processors)
    assert torch.allclose(heard.outputs[node][0], renderer.render(stems(1))[2][1], atol=1e-6)
    H = reorder_for_fast_render(G)
    raw = {"p": processors["p"].dsp_to_raw({"threshold_db": -30.0}, 1)}
    signals = render_grafx(processors, stems(1), raw, prepare_render(H))[2]
    assert torch.allclose(heard.outputs[node][0], signals[1], atol=1e-6)


def test_a_generator_needs_no_sources():
    processor = library.KickSynth(sample_rate=RATE)
    G, node = graph_of(processor)
    heard = hear(G, torch.zeros(0, 1, 3000), RATE, {"p": processor})
    expected = processor(dsp_params={}, num_samples=3000)[0]
    assert torch.equal(heard.outputs[node][0], expected) and torch.equal(heard.mix, expected)


def test_classes_of_the_library_are_known_by_name():
    G = GRAFX(config=NodeConfigs(["TanhDistortion", "gain"]))
    nodes = [G.add("in"), G.add("TanhDistortion"), G.add("gain"), G.add("out")]
    for pair in itertools.pairwise(nodes):
        G.connect(*pair)
    assert torch.allclose(hear(G, stems(1), RATE).mix, render_mix(G, stems(1), RATE), atol=1e-6)


def test_generators_and_several_outlets_are_known_by_name_too():
    for name, shape in (("KickSynth", (0, 1, 500)), ("Send", (1, 2, 500)), ("DelayLine", (1, 2, 500))):
        G, node = graph_of(getattr(library, name)())
        G = GRAFX.like(G, G.nodes(data=True), G.edges(data=True), NodeConfigs({name: G.config["p"]}))
        G.nodes[node]["node_type"] = name
        heard = hear(G, torch.full(shape, 0.1), RATE)
        given = {"sample_rate": RATE} if name != "Send" else {}
        expected = hear(G, torch.full(shape, 0.1), RATE, {name: getattr(library, name)(**given)})
        assert torch.equal(heard.mix, expected.mix)


def test_long_sounds_are_kept_in_a_file(monkeypatch):
    G = mixed_graph()
    kept = hear(G, stems(3), RATE)
    monkeypatch.setattr(hearing, "MOST_IN_MEMORY", 0)
    filed = hear(G, stems(3), RATE)
    for node in G.nodes:
        assert torch.equal(kept.outputs[node][0], filed.outputs[node][0])
    assert torch.equal(kept.mix, filed.mix)


def test_a_full_disk_is_told_before_anything_is_heard(monkeypatch):
    monkeypatch.setattr(hearing, "MOST_IN_MEMORY", 0)
    monkeypatch.setattr(hearing.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(AudioError, match="TMPDIR"):
        hear(mixed_graph(), stems(3), RATE)


def test_the_given_graph_and_tensors_stay_as_they_are(snapshot):
    G, sources = mixed_graph(), stems(3)
    before, audio = snapshot(G), sources.clone()
    hear(G, sources, RATE, target=sources[0])
    after = snapshot(G)
    assert before[1:] == after[1:] and set(before[0]) == set(after[0]) and torch.equal(audio, sources)
    assert all(set(before[0][node]) == set(after[0][node]) for node in G.nodes)


@pytest.mark.parametrize(
    "change, error, words",
    [
        (lambda G: G.remove(5), GraphError, "no output"),
        (lambda G: G.nodes[1].update(drywet_weight=2), GraphError, "Node 1"),
        (lambda G: G.nodes[1].update(drywet_weight=0.5, bypass="yes"), GraphError, "Node 1"),
        (lambda G: G.nodes[0].update(delay_samples=0.5), GraphError, "Node 0"),
        (lambda G: G.add_edge(3, 1, outlet="main", inlet="main"), GraphError, "cycle"),
        (lambda G: G.nodes[1].update(parameters={"log_gain": torch.full((2,), torch.nan)}), RenderError, "node 1"),
        (lambda G: G.nodes[1].update(node_type="unknown"), (RenderError, GraphError), "unknown"),
    ],
)
def test_what_cannot_be_heard_is_refused(change, error, words):
    G = GRAFX(config=NodeConfigs(["gain", "unknown"]))
    nodes = [G.add("in"), G.add("gain"), G.add("mix"), G.add("gain"), G.add("mix"), G.add("out")]
    for pair in itertools.pairwise(nodes):
        G.connect(*pair)
    change(G)
    with pytest.raises(error, match=words):
        hear(G, stems(1), RATE)


@pytest.mark.parametrize(
    "sources, target",
    [
        (stems(2), None),
        (stems(1)[0], None),
        (stems(1)[..., :0], None),
        (torch.zeros(1, 3, 100), None),
        (torch.zeros(1, 2, 100, dtype=torch.int16), None),
        (torch.full((1, 2, 100), torch.inf), None),
        (stems(1).numpy(), None),
        (stems(1), stems(1)),
        (stems(1), stems(1)[0, :, :100]),
        (stems(1), torch.full((2, 6000), torch.nan)),
    ],
)
def test_audio_that_does_not_fit_is_refused(sources, target):
    G, _ = graph_of(library.StereoGain())
    with pytest.raises(AudioError):
        hear(G, sources, RATE, {"p": library.StereoGain()}, target)
