import math
from importlib import import_module

import numpy as np
import pytest
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.adsr import gated_adsr, timed_adsr
from grafx.processors.core.backends import dispatch
from torch.autograd import gradcheck
from torch.library import opcheck

DOUBLE = torch.float64
NAMES = "attack", "decay", "sustain", "release"


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


@pytest.fixture(params=["numba", "torch"])
def backend(request, monkeypatch):
    monkeypatch.setattr(
        dispatch, "_load", lambda name, _: import_module(f"grafx.processors.core.{name}._{request.param}")
    )


def gates(rows, length, share=0.05):
    """Keys that are pressed or let go at so many of the samples."""
    return (torch.rand(rows, length) < share).cumsum(1) % 2 == 1


def times(*shape, requires_grad=False):
    """Attack, decay, sustain and release."""
    scale = torch.tensor([10.0, 20.0, 1.0, 15.0], dtype=DOUBLE)
    values = torch.rand(*shape, 4, dtype=DOUBLE) * scale
    return tuple(v.clone().requires_grad_(requires_grad) for v in values.unbind(-1))


def fall(x, linear):
    return max(0.0, 1 - x) if linear else 10 ** (-3 * x)


def pressed(level, time, attack, decay, sustain, linear):
    """The level after a time in samples of a key that is down, and whether it has been at the top."""
    to_top = (1 - level) * attack
    if time < to_top:
        return level + time / attack, False
    return sustain + (1 - sustain) * fall((time - to_top) / decay, linear), True


def loop(held, attack, decay, sustain, release, linear):
    """A machine that knows its level and its stage only, and goes on by a sample at a time."""
    y, level, stage, slope = np.zeros(len(held)), 0.0, "released", 0.0
    for n, key in enumerate(held):
        if n > 0:
            if stage == "attack":
                level, over = pressed(level, 1.0, attack, decay, sustain, linear)
                stage = "decay" if over else "attack"
            elif stage == "decay":
                if linear:
                    level = max(sustain, level - (1 - sustain) / decay)
                else:
                    level = sustain + (level - sustain) * 10 ** (-3 / decay)
            else:
                level = max(0.0, level - slope) if linear else level * 10 ** (-3 / release)
        y[n] = level
        if key and stage == "released":
            stage = "attack"
        elif not key and stage != "released":
            stage, slope = "released", level / release
    return y


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("length", [1, 2, 7, 333])
@pytest.mark.parametrize("share", [0.03, 0.5])
def test_gated_is_a_machine_that_goes_from_sample_to_sample(backend, linear, length, share):
    held, values = gates(5, length, share), times(5)
    y, _ = gated_adsr(held, *values, linear, DOUBLE)
    expected = [loop(key, *(v[i].item() for v in values), linear) for i, key in enumerate(held.tolist())]
    np.testing.assert_allclose(y, np.stack(expected), rtol=0, atol=1e-12)
    single, _ = gated_adsr(held, *values, linear)
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single, y, rtol=0, atol=1e-6)


def test_a_key_that_is_pressed_again_attacks_from_the_level_that_is_left(backend):
    held = torch.zeros(1, 100, dtype=torch.bool)
    held[:, 5:40] = held[:, 43:60] = True
    y, _ = gated_adsr(held, *(torch.tensor([v]) for v in (10.0, 20.0, 0.5, 10.0)), True, DOUBLE)
    y = y[0]
    torch.testing.assert_close(y[[5, 6, 15, 25, 35, 40]], torch.tensor([0, 0.1, 1, 0.75, 0.5, 0.5], dtype=DOUBLE))
    torch.testing.assert_close(y[43], torch.tensor(0.5 * 0.7, dtype=DOUBLE))
    assert math.isclose(y[44] - y[43], 0.1)
    peak = 43 + (1 - 0.35) * 10  # between samples
    torch.testing.assert_close(y[50], 1 - 0.5 * torch.tensor(50 - peak, dtype=DOUBLE) / 20)
    torch.testing.assert_close(y[65], y[60] * 0.5)
    assert not y[70:].any()


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("length", [0, 1, 300])
def test_timed_is_a_key_that_is_held_once(backend, linear, length):
    values, hold = times(6), torch.tensor([0, 1, 4, 30, 299, 1000])
    held = torch.arange(length) < hold[:, None]
    expected, _ = gated_adsr(held, *values, linear, DOUBLE)
    torch.testing.assert_close(timed_adsr(*values, hold.double(), length, linear), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("linear", [False, True])
def test_timed_is_the_formula_also_between_samples(backend, linear):
    attack, decay, sustain, release = (v.item() for v in times())
    for hold in (0.3 * attack, attack + 3.7, 90.3):
        expected = []
        for n in range(200):
            level, _ = pressed(0.0, min(n, hold), attack, decay, sustain, linear)
            expected.append(level * fall(max(0, n - hold) / release, linear))
        given = (torch.tensor(v, dtype=DOUBLE) for v in (attack, decay, sustain, release, hold))
        np.testing.assert_allclose(timed_adsr(*given, 200, linear), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("linear", [False, True])
def test_timed_gradients(backend, linear):
    hold = torch.tensor([0.4, 3.3, 17.2, 50.7], dtype=DOUBLE, requires_grad=True)
    values = times(4, requires_grad=True)
    assert gradcheck(lambda *v: timed_adsr(*v, 70, linear, first_sample=1), (*values, hold))


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("share", [0.1, 0.6])
def test_gated_gradients(backend, linear, share):
    held, values = gates(4, 40, share), times(4, requires_grad=True)
    held[0, -1] = ~held[0, -2]  # the key moves at the last sample, so only the state hears of its level
    level = torch.rand(4, dtype=DOUBLE, requires_grad=True)
    before = torch.stack([torch.full((4,), 3.0), torch.tensor([0.0, 1.0, 0.0, 1.0])], -1).double()

    def run(*arguments):
        *values, level = arguments
        y, state = gated_adsr(held, *values, linear, DOUBLE, torch.cat([level[:, None], before], -1))
        return y, state[:, 0]

    assert gradcheck(run, (*values, level))


@pytest.mark.parametrize("linear", [False, True])
def test_gated_goes_on_from_its_state(backend, linear):
    held, values = gates(3, 300), times(3, requires_grad=True)
    whole, final = gated_adsr(held, *values, linear, DOUBLE)
    blocks, state = [], None
    for block in held.split([0, 1, 1, 13, 100, 0, 180, 5], 1):
        y, state = gated_adsr(block, *values, linear, DOUBLE, state)
        blocks.append(y)
    pieces = torch.cat(blocks, 1)
    torch.testing.assert_close(pieces, whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(state, final, rtol=0, atol=1e-10)
    weights = torch.randn_like(whole)
    expected, gradients = (torch.autograd.grad(y, values, weights) for y in (whole, pieces))
    torch.testing.assert_close(gradients, expected)


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("time", [0.0, 1e-9, 1e9, 1e30])
def test_any_time_is_finite(backend, linear, time):
    held = gates(2, 50, 0.2)
    extreme = tuple(torch.full((2,), v, dtype=DOUBLE, requires_grad=True) for v in (time, time, 0.5, time))
    hold = torch.tensor([time, 20.0], dtype=DOUBLE, requires_grad=True)
    y, _ = gated_adsr(held, *extreme, linear, DOUBLE)
    z = timed_adsr(*extreme, hold, 50, linear)
    assert ((y >= 0) & (y <= 1)).all() and ((z >= 0) & (z <= 1)).all()
    gradients = torch.autograd.grad(y.sum() + z.sum(), (*extreme, hold))
    assert all(g.isfinite().all() for g in gradients)


def test_no_time_is_an_edge(backend):
    held = torch.tensor([[False, True, True, True, False, False]])
    y, _ = gated_adsr(held, *(torch.tensor([v]) for v in (0.0, 0.0, 0.25, 0.0)), True)
    torch.testing.assert_close(y, torch.tensor([[0, 0, 0.25, 0.25, 0.25, 0]]))


def test_shapes_broadcast():
    attack, decay, sustain, release = (torch.rand(3, 1) * 10 for _ in NAMES)
    held = gates(3, 20)[:, None].expand(3, 2, 20)
    y, state = gated_adsr(held, attack, decay, sustain, release[:1])
    assert y.shape == (3, 2, 20) and state.shape == (3, 2, 3)
    torch.testing.assert_close(y[:, 0], y[:, 1])
    assert timed_adsr(attack, decay, sustain[:, 0], release, torch.tensor(3.0), 7).shape == (3, 3, 7)


@pytest.mark.parametrize("rows, length", [(3, 9), (2, 1), (2, 0), (0, 5)])
@pytest.mark.parametrize("linear", [False, True])
def test_operators_keep_their_contract(rows, length, linear):
    held, state = gates(rows, length, 0.3), torch.rand(rows, 3, dtype=DOUBLE)
    values = torch.rand(rows, 4, dtype=DOUBLE)
    given = held, values.clone().requires_grad_(), state.clone().requires_grad_(), linear, torch.float32
    grad, y = torch.randn(2, rows, length)
    # How gradients are made does not depend on sizes.
    options = {} if rows == 3 else {"test_utils": ("test_schema", "test_faketensor")}
    opcheck(torch.ops.grafx.adsr, given, **options)
    opcheck(torch.ops.grafx.adsr_backward, (grad, state, held, values, state, y, linear), **options)


@pytest.mark.slow
def test_compiles_as_one_graph():
    torch._dynamo.reset()

    def run(held, *values):
        return gated_adsr(held, *values)[0] + timed_adsr(*values, values[0] + values[1], held.shape[-1])

    compiled = torch.compile(run, fullgraph=True, backend="aot_eager")
    for length in (20, 33):
        arguments = gates(2, length), *times(2)
        torch.testing.assert_close(compiled(*arguments), run(*arguments))


def test_numbers_are_no_keys():
    with pytest.raises(ParameterError, match="held must be boolean"):
        gated_adsr(torch.ones(1, 5), *times(1))
