import numpy as np
import pytest
import torch
from grafx.processors import ToneStack
from grafx.processors.base import ParameterError
from grafx.processors.filter.tone_stack import AMPLIFIERS
from scipy import signal

AMPLIFIER_NAMES = list(AMPLIFIERS)
SETTINGS = [
    (0.5, 0.5, 0.5),
    (0, 0, 0),
    (1, 1, 1),
    (1, 0, 0),
    (0, 1, 0),
    (0, 0, 1),
    (0.3, 0.8, 0.6),
    (0, 1, 1),
    (1, 0, 1),
]


def network(components, bass, mid, treble, s):
    """Gain of the circuit at complex frequencies, by Kirchhoff's current law at its nodes.

    The nodes: the top of the treble pot, its wiper (which is the output), its bottom, the end of the slope resistor,
    the top of the mid pot and its wiper.
    """
    R1, R2, R3, R4, C1, C2, C3 = components
    top, out, bottom, slope, mid_top, wiper = range(6)
    G, C = np.zeros((6, 6)), np.zeros((6, 6))
    tiny = 1e-3  # ohm, in place of nothing

    def between(matrix, a, b, value):
        matrix[a, a] += value
        matrix[b, b] += value
        matrix[a, b] -= value
        matrix[b, a] -= value

    between(G, top, out, 1 / max((1 - treble) * R1, tiny))
    between(G, out, bottom, 1 / max(treble * R1, tiny))
    between(G, bottom, mid_top, 1 / max(np.exp(3.4 * (bass - 1)) * R2, tiny))
    between(G, mid_top, wiper, 1 / max((1 - mid) * R3, tiny))
    G[wiper, wiper] += 1 / max(mid * R3, tiny)
    G[slope, slope] += 1 / R4
    C[top, top] += C1
    between(C, slope, bottom, C2)
    between(C, slope, wiper, C3)
    source_g, source_c = np.zeros(6), np.zeros(6)
    source_g[slope], source_c[top] = 1 / R4, C1
    return np.array([np.linalg.solve(G + each * C, source_g + each * source_c)[out] for each in s])


def knobs(*settings):
    return {
        name: torch.tensor([float(s[i]) for s in settings], dtype=torch.float64)
        for i, name in enumerate(("bass", "mid", "treble"))
    }


@pytest.mark.parametrize("name", AMPLIFIER_NAMES)
def test_the_formula_is_that_of_the_circuit(name):
    stack = ToneStack(name)
    s = 2j * np.pi * np.geomspace(10, 20000, 25)
    b, a = stack.transfer(stack.dsp_to_raw(knobs(*SETTINGS))["z_knobs"])
    for numerator, denominator, setting in zip(b.numpy(), a.numpy(), SETTINGS, strict=True):
        gain = np.polyval(numerator[::-1], s) / np.polyval(denominator[::-1], s)
        np.testing.assert_allclose(gain, network(AMPLIFIERS[name], *setting, s), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name, sample_rate", [("bassman", 44100), ("twin_reverb", 192000), ("jcm800", 16000)])
def test_it_is_the_bilinear_transform_of_the_formula(name, sample_rate, rng):
    stack, x = ToneStack(name, sample_rate), rng.standard_normal((len(SETTINGS), 2, 3000))
    raw = stack.dsp_to_raw(knobs(*SETTINGS))
    y = stack(torch.from_numpy(x), **raw)
    for row, (b, a) in enumerate(zip(*stack.transfer(raw["z_knobs"]), strict=True)):
        b, a = signal.bilinear(b.numpy()[::-1], a.numpy()[::-1], sample_rate)
        np.testing.assert_allclose(y[row], signal.lfilter(b, a, x[row]), atol=1e-7)


def test_the_response_is_that_of_the_paper_at_low_frequencies():
    """The discretized response against the s-domain formula, where the bilinear transform bends little."""
    stack, length = ToneStack(sample_rate=192000), 2**16
    impulse = torch.eye(1, length, dtype=torch.float64)[None]
    y = torch.fft.rfft(stack(impulse, dsp_params=knobs((0.5, 0.5, 0.5)))[0, 0])
    hertz = torch.fft.rfftfreq(length, 1 / 192000)
    near = (hertz > 30) & (hertz < 8000)
    b, a = (c[0].numpy() for c in stack.transfer(torch.zeros(1, 3)))
    s = 2j * np.pi * hertz[near].numpy()
    expected = np.polyval(b[::-1], s) / np.polyval(a[::-1], s)
    np.testing.assert_allclose(20 * np.log10(np.abs(y[near].numpy())), 20 * np.log10(np.abs(expected)), atol=0.05)


@pytest.mark.parametrize("name", AMPLIFIER_NAMES)
@pytest.mark.parametrize("sample_rate", [8000, 44100, 192000])
def test_poles_are_inside_the_unit_circle_at_every_setting(name, sample_rate, rng):
    z = torch.tensor([[a, b, c] for a in (-1e4, 0, 1e4) for b in (-1e4, 0, 1e4) for c in (-1e4, 0, 1e4)])
    z = torch.cat([z, torch.from_numpy(3 * rng.standard_normal((200, 3)))])
    assert torch.linalg.eigvals(ToneStack(name, sample_rate)._system(z)[0]).abs().max() < 1


def test_components_may_be_given():
    given = ToneStack({"R1": 250e3, "R2": 1e6, "R3": 25e3, "R4": 56e3, "C1": 250e-12, "C2": 20e-9, "C3": 20e-9})
    assert given.components == pytest.approx(ToneStack("bassman").components)
    assert ToneStack(AMPLIFIERS["jcm800"]).components == AMPLIFIERS["jcm800"]


def test_gradients(rng):
    x = torch.from_numpy(rng.standard_normal((2, 2, 40))).requires_grad_()
    z = torch.from_numpy(rng.standard_normal((2, 3))).requires_grad_()
    assert torch.autograd.gradcheck(ToneStack(), (x, z), fast_mode=True)


def test_knobs_are_found_by_gradients(rng):
    x, stack = torch.from_numpy(rng.standard_normal((1, 1, 4000))), ToneStack()
    target = stack(x, dsp_params=knobs((0.2, 0.7, 0.8)))
    z = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([z], lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        (stack(x, z) - target).square().mean().backward()
        optimizer.step()
    found = stack.raw_to_dsp({"z_knobs": z.detach()})
    assert [found[name].item() for name in ("bass", "mid", "treble")] == pytest.approx([0.2, 0.7, 0.8], abs=0.01)


def test_refusals():
    with pytest.raises(ParameterError, match=r"components must be one of 'bassman', .* or a dict of R1, .* not 'vox'"):
        ToneStack("vox")
    with pytest.raises(ParameterError, match="need a positive number for each of R1, R2"):
        ToneStack({"R1": 250e3})
    with pytest.raises(ParameterError, match="need a positive number"):
        ToneStack({**AMPLIFIERS["bassman"]._asdict(), "C3": 0.0})
