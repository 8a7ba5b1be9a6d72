"""Generators in graphs: what plays without an input, and what modulates what."""

import numpy as np
import pytest
import torch
from grafx.processors import (
    ADSR,
    LFO,
    DelayLine,
    SawOscillator,
    SineOscillator,
    WavetableOscillator,
    WhiteNoise,
)

from grafx.data import GRAFX, NodeConfigs, load_grafx, save_grafx
from grafx.errors import RenderError
from grafx.render import Renderer, StreamRenderer, prepare_render, reorder_for_fast_render

RATE = 44100
WIDE = {"frequency_hz": (0, 20000), "amplitude": (0, 1000)}
PROCESSORS = {
    "sine": SineOscillator(param_range=WIDE),
    "fm": SineOscillator(("frequency",), param_range=WIDE),
    "saw": SawOscillator(("frequency", "amplitude"), param_range=WIDE),
    "table": WavetableOscillator(inlets=("position", "phase"), param_range=WIDE),
    "lfo": LFO(param_range={"depth": (0, 1000)}),
    "noise": WhiteNoise(),
    "hiss": WhiteNoise(inlets=("amplitude",)),
    "envelope": ADSR(),
    "delay": DelayLine(max_delay_ms=20),
}


def add(G, node_type, *sources, **settings):
    """A node with physical values, and what is connected to its inlets, in order."""
    node = G.add(node_type, parameters=settings)
    for source, inlet in zip(sources, G.config[node_type]["inlets"], strict=False):
        if source is not None:
            G.connect(source, node, inlet=inlet)
    return node


def new_graph():
    return GRAFX(config=NodeConfigs.from_processors(PROCESSORS))


@torch.no_grad()
def render(G, length, *batch):
    """With silence at its inputs, if there are any."""
    num_inputs = sum(data["node_type"] == "in" for _, data in G.nodes(data=True))
    return Renderer(G, PROCESSORS)(torch.zeros(*batch, num_inputs, 1, length))


def test_a_chord_is_one_call():
    G = new_graph()
    mix = G.add("mix")
    for hertz in (220, 275, 330):
        G.connect(add(G, "sine", frequency_hz=hertz), mix)
    G.connect(mix, G.add("out"))
    plan = prepare_render(reorder_for_fast_render(G))
    assert [step.num_nodes for step in plan.iter_list if step.node_type == "sine"] == [3]
    y = render(G, 1000)
    n = np.arange(1000) / RATE
    expected = sum(np.sin(2 * np.pi * hertz * n) for hertz in (220, 275, 330))
    np.testing.assert_allclose(y[0, 0], expected, atol=1e-4)


@pytest.mark.parametrize("batch", [(), (2,)])
def test_an_oscillator_modulates_another_one(batch):
    G = new_graph()
    modulator = add(G, "sine", frequency_hz=110, amplitude=300, phase_cycles=0.25)
    carrier = add(G, "fm", modulator, frequency_hz=880, amplitude=0.5)
    G.connect(carrier, G.add("out"))
    n = np.arange(2000)
    hertz = 880 + 300 * np.cos(2 * np.pi * 110 * n / RATE)
    cycles = np.concatenate([[0], hertz.cumsum()[:-1]]) / RATE
    y = render(G, 2000, *batch)
    assert y.shape == (*batch, 1, 1, 2000)
    for rendered in y.reshape(-1, 2000):
        np.testing.assert_allclose(rendered, 0.5 * np.sin(2 * np.pi * cycles), atol=2e-4)


def test_modulators_of_one_inlet_add_up():
    G = new_graph()
    first, second = add(G, "lfo", rate_hz=5, depth=10), add(G, "lfo", rate_hz=3, offset=1, depth=100)
    carrier = add(G, "fm", first, frequency_hz=500)
    G.connect(second, carrier, inlet="frequency")
    G.connect(carrier, G.add("out"))
    n = np.arange(5000) / RATE
    hertz = 500 + 10 * np.sin(2 * np.pi * 5 * n) + 1 + 100 * np.sin(2 * np.pi * 3 * n)
    cycles = np.concatenate([[0], hertz.cumsum()[:-1]]) / RATE
    np.testing.assert_allclose(render(G, 5000)[0, 0], np.sin(2 * np.pi * cycles), atol=1e-3)


def test_a_further_inlet_may_be_left_open():
    G, other = new_graph(), new_graph()
    for graph in (G, other):
        vibrato = add(graph, "lfo", rate_hz=5, depth=20)
        tremolo = add(graph, "lfo", rate_hz=5, depth=0)
        sources = (vibrato,) if graph is G else (vibrato, tremolo)
        graph.connect(add(graph, "saw", *sources, frequency_hz=330), graph.add("out"))
        if graph is G:
            graph.connect(tremolo, graph.add("out"))
    torch.testing.assert_close(render(G, 3000)[0], render(other, 3000)[0])


def test_the_first_inlet_may_not():
    G = new_graph()
    G.connect(add(G, "saw"), G.add("out"))
    with pytest.raises(RenderError, match=r"Nothing is connected to the inlet 'frequency' of node \d \(saw\)"):
        Renderer(G, PROCESSORS)


def test_an_envelope_opens_noise():
    G = new_graph()
    envelope = add(G, "envelope", attack_ms=1, decay_ms=20, hold_ms=10)
    G.connect(add(G, "hiss", envelope, amplitude=0, seed=4), G.add("out"))
    shape = PROCESSORS["envelope"](num_samples=2000, dsp_params={"attack_ms": 1, "decay_ms": 20, "hold_ms": 10})
    white = PROCESSORS["noise"](num_samples=2000, dsp_params={"seed": 4})
    torch.testing.assert_close(render(G, 2000)[0], (shape * white)[0])


def test_nodes_of_noise_have_their_own_seeds():
    G = new_graph()
    for seed in (1, 2, 1):
        G.connect(add(G, "noise", seed=seed), G.add("out"))
    first, second, again = render(G, 500)
    assert torch.equal(first, again) and not torch.equal(first, second)


def test_a_slow_wave_moves_a_delay():
    """A chorus: the time of the delay follows an LFO that plays into its inlet."""
    G = new_graph()
    tone, swing = add(G, "sine", frequency_hz=440), add(G, "lfo", rate_hz=2, depth=3)
    G.connect(add(G, "delay", tone, swing, delay_ms=8), G.add("out"))
    y = render(G, 8000)[0, 0]
    n = np.arange(8000)
    delay = (8 + 3 * np.sin(2 * np.pi * 2 * n / RATE)) / 1000 * RATE
    expected = np.where(n >= delay, np.sin(2 * np.pi * 440 * (n - delay) / RATE), 0)
    assert np.abs(y.numpy() - expected)[600:].max() < 2e-3


def modulated_graph():
    """Generators that modulate each other, three deep, and a delay."""
    G = new_graph()
    slow = add(G, "lfo", rate_hz=7, depth=0.4, offset=0.5)
    modulator = add(G, "sine", frequency_hz=55, amplitude=120)
    envelope = add(G, "envelope", attack_ms=5, decay_ms=10)
    fm = add(G, "fm", modulator, frequency_hz=330, amplitude=0.02)
    table = add(G, "table", slow, fm, frequency_hz=220)
    saw = add(G, "saw", modulator, envelope, frequency_hz=440, amplitude=0)
    mix, source = G.add("mix"), G.add("in")
    for node in (table, saw, add(G, "noise", seed=3, amplitude=0.1), source):
        G.connect(node, mix)
    G.connect(add(G, "delay", mix, delay_ms=3), G.add("out"))
    return G


def test_graphs_of_generators_render_in_blocks():
    G, length = modulated_graph(), 3000
    whole = render(G, length)
    stream = StreamRenderer(modulated_graph(), PROCESSORS)
    blocks = [stream(torch.zeros(1, 1, size)) for size in (0, 1, 511, 1024, 1464)]
    torch.testing.assert_close(torch.cat(blocks, -1), whole, rtol=0, atol=1e-4)


def test_gradients_flow_from_the_sound_to_all_that_modulates():
    renderer = Renderer(modulated_graph(), PROCESSORS)
    renderer(torch.zeros(1, 1, 500)).square().sum().backward()
    for node_type, parameters in renderer.per_type_parameters.items():
        for name, value in parameters.items():
            assert value.grad is not None and value.grad.isfinite().all(), (node_type, name)
            expects = name not in ("stream", "z_release", "log_release", "log_hold", "log_decay", "z_sustain")
            assert value.grad.abs().sum() > 0 or not expects, (node_type, name)


def test_what_generators_are_set_to_is_kept_in_files(tmp_path):
    G = modulated_graph()
    save_grafx(G, tmp_path)
    again, _, _ = load_grafx(tmp_path)
    assert torch.equal(render(again, 300), render(G, 300))
