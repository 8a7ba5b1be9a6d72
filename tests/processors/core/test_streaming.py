"""Building blocks with a state between blocks, each alone."""

import threading

import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors.core.convolution import convolve_block
from grafx.processors.core.streaming import block_by_block, in_blocks, in_part, late, once, remember, with_past
from grafx.processors.errors import ParameterError


def blocks_of(x, rng, count=20):
    edges = np.sort(rng.integers(0, x.shape[-1] + 1, size=count))
    return x.split(np.diff([0, *edges, x.shape[-1]]).tolist(), -1)


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 2e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize("num_taps", [1, 2, 300, 2500, 20011])
@pytest.mark.parametrize("first", [1, 64, 700, 3000])
def test_convolution_in_blocks(rng, num_taps, first, dtype, tolerance):
    x, h = rng.normal(size=(2, 2, 9000)), rng.normal(size=(2, 1, num_taps))
    expected = scipy.signal.fftconvolve(x, h, axes=-1)[..., :9000]
    state, outputs = None, []
    signal = torch.tensor(x, dtype=dtype)
    for block in (signal[..., :first], *blocks_of(signal[..., first:], rng)):
        y, state = convolve_block(block, torch.tensor(h, dtype=dtype), state)
        outputs.append(y)
    error = np.linalg.norm(torch.cat(outputs, -1).numpy() - expected) / np.linalg.norm(expected)
    assert error < tolerance


@pytest.mark.parametrize("num_taps", [40, 5000])
def test_a_response_that_changes_acts_on_all_of_the_past(rng, num_taps):
    x, first, second = (torch.tensor(rng.normal(size=(1, 1, n))) for n in (4000, num_taps, num_taps))
    y, state = convolve_block(x[..., :1500], first, None)
    z, _ = convolve_block(x[..., 1500:], second, state)
    for got, h, part in ((y, first, slice(0, 1500)), (z, second, slice(1500, None))):
        expected = scipy.signal.fftconvolve(x.numpy(), h.numpy(), axes=-1)[..., :4000][..., part]
        np.testing.assert_allclose(got, expected, atol=1e-10)


def test_states_stay_as_they_are(rng):
    h = torch.tensor(rng.normal(size=(1, 1, 3000)))
    x = torch.tensor(rng.normal(size=(1, 1, 2000)))
    _, state = convolve_block(x[..., :100], h, None)
    twice = [convolve_block(x[..., 100:], h, state)[0] for _ in range(2)]
    assert torch.equal(*twice)


def test_gradients_reach_signals_and_responses_of_earlier_blocks(rng):
    x, h = (torch.tensor(rng.normal(size=(1, 1, n)), requires_grad=True) for n in (50, 2100))
    state, total = None, 0
    for block in x.split(5, -1):
        y, state = convolve_block(block, h, state)
        total = total + y.square().sum()
    gx, gh = torch.autograd.grad(total, (x, h))
    full = torch.nn.functional.conv1d(torch.nn.functional.pad(x, (2099, 0)), h.flip(-1))
    ex, eh = torch.autograd.grad(full.square().sum(), (x, h))
    torch.testing.assert_close(gx, ex)
    torch.testing.assert_close(gh, eh)


def test_the_past_is_silence_outside_of_a_stream():
    x = torch.arange(1.0, 4)
    assert with_past(x, 2).tolist() == [0, 0, 1, 2, 3]
    assert late(x, 2) is x
    assert not in_blocks()


def test_the_past_comes_with_each_block():
    x, state, seen, delayed = torch.arange(1.0, 8), None, [], []
    for block in x.split([1, 0, 4, 2]):
        with block_by_block(state) as after:
            assert in_blocks()
            seen.append(with_past(block, 2).tolist())
            delayed.append(late(block, 3))
        state = after()
    assert seen == [[0, 0, 1], [0, 1], [0, 1, 2, 3, 4, 5], [4, 5, 6, 7]]
    assert torch.cat(delayed).tolist() == [0, 0, 0, 1, 2, 3, 4]


def test_what_depends_on_parameters_is_computed_when_they_change():
    calls = []

    def double(p, q):
        calls.append(p.item())
        return 2 * p

    parameter, state = torch.tensor(1.0), None
    for value in (1.0, 1.0, 3.0, 3.0):
        parameter.fill_(value)  # in place, as a knob does
        with block_by_block(state) as after:
            assert once(double, parameter, None) == 2 * value
        state = after()
    assert calls == [1.0, 3.0]


def test_each_block_has_its_own_graph_where_parameters_are_trained():
    parameter, state = torch.tensor(1.0, requires_grad=True), None
    for _ in range(2):
        with block_by_block(state) as after:
            once(lambda p: 2 * p, parameter).backward()
        state = after()
    assert parameter.grad == 4


def test_other_threads_are_not_in_the_stream():
    found = []
    with block_by_block(None):
        thread = threading.Thread(target=lambda: found.append(in_blocks()))
        thread.start()
        thread.join()
    assert found == [False]


def test_entries_have_names_and_those_of_parts_nest():
    def count(before):
        return None, (before or 0) + 1

    state = None
    for _ in range(2):
        with block_by_block(state) as after:
            remember(count, "cycles")
            in_part("inner", lambda: remember(count))
            remember(count, "cycles")
        state = after()
    assert state == {"cycles": 2, "inner": {"state": 2}, "cycles 2": 2}


def test_a_state_of_something_else_is_refused():
    with block_by_block({"other": 1}), pytest.raises(ParameterError, match=r"has no 'state', .* but other"):
        remember(lambda before: (before, before))


def test_a_state_that_holds_too_much_is_refused():
    with block_by_block({"state": 1, "other": 2}) as after:
        remember(lambda before: (before, before))
    with pytest.raises(ParameterError, match="has other, which nothing here remembers"):
        after()
