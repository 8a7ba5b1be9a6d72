import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from grafx.processors import LadderFilter, StackedStateVariableFilter
from grafx.processors.base import ParameterError
from grafx.processors.filter.stacked_svf import _system, feedback_limit
from torch.autograd import gradcheck

from grafx.data import GRAFX, NodeConfigs
from grafx.render import Renderer, StreamRenderer

RATE, LENGTH = 48000, 2**14


def polynomial(damping):
    p = np.ones(1)
    for r in damping:
        p = np.polymul(p, [1, 2 * r, 1])
    return p


def largest_real_part(damping, feedback):
    p = polynomial(damping)
    p[-1] += feedback
    return np.roots(p).real.max()


@pytest.mark.parametrize("num_filters", [2, 3, 4, 5, 8])
def test_poles_reach_the_imaginary_axis_at_the_limit_and_not_before(num_filters, rng):
    damping = np.exp(rng.uniform(-2, 1.5, (20, num_filters)))
    for row, limit in zip(damping, feedback_limit(torch.from_numpy(damping)).tolist(), strict=True):
        assert abs(largest_real_part(row, limit)) < 1e-6
        assert largest_real_part(row, 1.01 * limit) > 0
        assert all(largest_real_part(row, part * limit) < 0 for part in np.linspace(0, 0.99, 12))


@pytest.mark.parametrize("num_filters", [2, 3, 5])
def test_gradients_of_the_limit(num_filters, rng):
    damping = torch.from_numpy(np.exp(rng.uniform(-1, 1, (3, num_filters)))).requires_grad_()
    assert gradcheck(feedback_limit, [damping])


@pytest.mark.parametrize("damping", [(1.0, 1.0), (0.2, 1.5), (0.3, 0.7, 2.0)])
@pytest.mark.parametrize("hertz, resonance", [(300.0, 0.0), (2000.0, 0.5), (15000.0, 0.95)])
def test_has_the_published_response(hertz, resonance, damping):
    values = {"frequency_hz": hertz, "damping": torch.tensor([damping]).double(), "resonance": resonance}
    impulse = torch.eye(1, LENGTH, dtype=torch.float64)[None]
    y = StackedStateVariableFilter(len(damping), RATE)(impulse, dsp_params=values)[0, 0]
    w = np.linspace(0, np.pi, LENGTH // 2 + 1)[:-1]
    s = 1j * np.tan(w / 2) / math.tan(math.pi * hertz / RATE)
    feedback = resonance * feedback_limit(torch.tensor(damping).double()).item()
    expected = 1 / (np.polyval(polynomial(damping), s) + feedback)
    np.testing.assert_allclose(np.fft.rfft(y.numpy())[:-1], expected, rtol=0, atol=2e-5 * abs(expected).max())


def test_two_filters_of_damping_one_are_moogs_ladder(rng):
    x = torch.from_numpy(rng.standard_normal((1, 2, 2000)))
    values = {"frequency_hz": 1234.0, "resonance": 0.8}
    y = StackedStateVariableFilter()(x, dsp_params={**values, "damping": 1.0})
    torch.testing.assert_close(y, LadderFilter()(x, dsp_params=values), atol=1e-6, rtol=0)


@pytest.mark.parametrize("num_filters", [2, 4])
def test_is_stable_whatever_the_raw_parameters_are(num_filters):
    raw = torch.cat([torch.randn(200, num_filters + 2).double() * std for std in (1, 10, 1e6)])
    A, *_ = _system(raw[:, :1], raw[:, 1:-1], raw[:, -1:])
    assert torch.linalg.eigvals(A).abs().max() < 1


def test_renders_and_streams_in_a_graph(rng):
    processors = {"svf": StackedStateVariableFilter()}
    values = {"frequency_hz": 700.0, "resonance": 0.8, "damping": [0.3, 1.2]}
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    for pair in pairwise((G.add("in"), G.add("svf", parameters=values), G.add("out"))):
        G.connect(*pair)
    x = torch.from_numpy(rng.standard_normal((1, 2, 500))).float()
    expected = processors["svf"](x, dsp_params={**values, "damping": torch.tensor([[0.3, 1.2]])})
    torch.testing.assert_close(Renderer(G, processors)(x), expected)
    stream = StreamRenderer(G, processors)
    blocks = [stream(block) for block in x.split([123, 0, 377], -1)]
    torch.testing.assert_close(torch.cat([*blocks, stream.finish(tail=False)], -1), expected, rtol=1e-5, atol=1e-6)


def test_one_filter_is_refused():
    with pytest.raises(ParameterError, match="num_filters must be at least 2, for the loop to resonate, not 1"):
        StackedStateVariableFilter(1)


@pytest.mark.parametrize("num_filters", [2, 3, 4])
def test_the_limit_of_the_feedback_has_first_and_second_derivatives(num_filters):
    damping = (0.3 + torch.rand(2, num_filters, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(feedback_limit, damping)
    assert torch.autograd.gradgradcheck(feedback_limit, damping)
