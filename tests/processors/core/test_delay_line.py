import os
from importlib import import_module
from itertools import product

import numpy as np
import pytest
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.backends import dispatch, numba_rows
from grafx.processors.core.delay_line import (
    INTERPOLATIONS,
    delay_line_init,
    delay_line_min_delay,
    delay_line_process,
    delay_line_tail,
    delay_line_tick,
)
from grafx.processors.core.delay_line import _numba as _delay_line_numba
from grafx.processors.core.delay_line import _torch as _delay_line_torch
from torch.autograd import gradcheck
from torch.library import opcheck

DOUBLE = torch.float64
LENGTHS = [0, 1, 2, 7, 8, 9, 16, 101]
LIMITS = [0, 0.3, 1, 6.5, 40, 1e6]


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


def lagrange(x, n, delays, t):
    """The polynomial through samples of some delays, at a time between them."""
    total = 0.0
    for j in delays:
        weight = np.prod([(t - k) / (j - k) for k in delays if k != j])
        total += weight * (x[n - j] if n >= j else 0.0)
    return total


def reference(x, t, limit, interpolation):
    """A tap of one signal, sample by sample."""
    x, t = np.asarray(x), np.asarray(t)
    y = np.zeros(len(x))
    for n, time in enumerate(np.clip(t.astype(float), 0, limit)):
        whole = int(time)
        if interpolation == "linear":
            y[n] = lagrange(x, n, [whole, whole + 1], time)
        elif interpolation == "cubic":
            y[n] = lagrange(x, n, [0, 1, 2] if time < 1 else range(whole - 1, whole + 3), time)
        else:
            d = int(max(time - 0.5, 0))
            now, before, last = (v[n - k] if n >= k else 0.0 for v, k in ((x, d), (x, d + 1), (y, 1)))
            if time < 0.5:
                y[n] = ((2 - 3 * time) * now + 3 * time * before - time * last) / (2 - time)
            else:
                eta = (1 - (time - d)) / (1 + (time - d))
                y[n] = eta * (now - last) + before
    return y


def tap(xs, times, limit, interpolation):
    return delay_line_process(xs, times, *delay_line_init(limit, interpolation))[0]


def random(*shape, dtype=DOUBLE):
    return torch.randn(shape, dtype=dtype)


def moving(*shape, limit, dtype=DOUBLE):
    """Times on the line, beside it and at its ends."""
    times = (1.4 * torch.rand(shape, dtype=dtype) - 0.2) * min(limit, 60)
    return torch.where(torch.rand(shape) < 0.2, times.round(), times)


def response(t, interpolation, frequencies):
    """Frequency response of a tap at a constant time."""
    impulse = torch.eye(1, 200, dtype=DOUBLE)[0]
    y = tap(impulse, t, 100, interpolation).numpy()
    return np.exp(-1j * np.outer(frequencies, np.arange(200))) @ y


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 2e-6), (DOUBLE, 1e-13)])
@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_taps_are_a_loop_over_samples(interpolation, limit, dtype, tolerance):
    for length in LENGTHS:
        x, t = random(3, length, dtype=dtype), moving(3, length, limit=limit)
        y = tap(x, t, limit, interpolation)
        expected = [reference(*row, limit, interpolation) for row in zip(x.double(), t, strict=True)]
        assert y.dtype == dtype
        np.testing.assert_allclose(y.numpy(), expected, atol=tolerance)


def test_linear_interpolation_is_that_of_numpy():
    x, t = random(500), 50 * torch.rand(500, dtype=DOUBLE)
    places = np.arange(500) - t.numpy()
    expected = np.interp(places, np.arange(-60, 500), np.concatenate([np.zeros(60), x.numpy()]))
    np.testing.assert_allclose(tap(x, t, 60, "linear"), expected, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_whole_times_take_samples_as_they_are(interpolation, dtype):
    x = random(2, 203, dtype=dtype)
    for k, time in product((0, 1, 2, 30), (float, lambda k: torch.full((203,), k, dtype=dtype))):
        y = tap(x, time(k), 30, interpolation)
        assert torch.equal(y[:, k:], x[:, : 203 - k]) and not y[:, :k].any()


@pytest.mark.parametrize("interpolation, tolerance", [("linear", 2e-3), ("cubic", 1e-5), ("allpass", 2e-4)])
@pytest.mark.parametrize("time", [0.8, 1.3, 20.5, 47.9])
def test_a_sinusoid_comes_later(interpolation, tolerance, time):
    n = np.arange(2000)
    x = np.sin(0.1 * n)
    y = tap(torch.from_numpy(x), time, 100, interpolation)
    np.testing.assert_allclose(y[100:], np.sin(0.1 * (n - time))[100:], atol=tolerance + 0.004 * (time < 1))


@pytest.mark.parametrize("interpolation, tolerance", [("linear", 2e-3), ("cubic", 1e-5), ("allpass", 4e-3)])
@pytest.mark.parametrize("speed", [-0.04, -0.003, 0.01, 0.05])
def test_a_moving_tap_shifts_the_frequency(interpolation, tolerance, speed):
    """Doppler effect: while the time grows by v in each sample, a tone sounds 1 − v times as high."""
    n = torch.arange(3000, dtype=DOUBLE)
    times = 200 + speed * n
    y = tap(torch.sin(0.1 * n), times, 400, interpolation)
    expected = torch.sin(0.1 * (1 - speed) * n - 0.1 * 200)
    torch.testing.assert_close(y[400:], expected[400:], atol=tolerance, rtol=0)


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_no_frequency_comes_out_louder(interpolation):
    w = np.linspace(0, np.pi, 101)
    for t in np.linspace(0, 4, 81):
        assert abs(response(t, interpolation, w)).max() <= 1 + 1e-12


def test_how_much_treble_is_lost():
    at = {kind: abs(response(10.5, kind, [np.pi / 2])[0]) for kind in INTERPOLATIONS}
    decibels = {kind: 20 * np.log10(gain) for kind, gain in at.items()}
    assert decibels == {
        "linear": pytest.approx(-3.01, abs=0.01),
        "cubic": pytest.approx(-1.07, abs=0.01),
        "allpass": pytest.approx(0, abs=1e-6),
    }


def test_allpass_keeps_magnitudes_and_delays_low_frequencies_exactly():
    w = np.linspace(1e-4, np.pi, 50)
    for t in np.linspace(0, 4, 41):
        h = response(t, "allpass", w)
        assert -np.angle(h[0]) / w[0] == pytest.approx(t, abs=1e-6)
        assert abs(h).max() <= 1 + 1e-9
        if t >= 0.5:
            np.testing.assert_allclose(abs(h), 1, atol=1e-9)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_taps_are_continuous_in_time(interpolation):
    """At the joints of the polynomials too; of allpass filters, only within the range of one."""
    x = random(1, 64)
    joints = torch.tensor([0.5]) if interpolation == "allpass" else torch.arange(1, 6)
    for t in joints.double():
        around = t + torch.tensor([[-1e-9], [0], [1e-9]], dtype=DOUBLE)
        y = tap(x, around, 10, interpolation)
        torch.testing.assert_close(y[[0, 2]], y[[1, 1]], atol=1e-7, rtol=0)


@pytest.mark.parametrize("steps", ["moving", "constant"])
@pytest.mark.parametrize("limit", [0, 0.7, 6.5, 40])
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_gradients(interpolation, limit, steps):
    """From the past, and to several taps of stereo signals with times of their own and common ones."""
    _, params = delay_line_init(limit, interpolation)
    for length in (1, 8, 13):
        xs, past, last, base = random(2, 2, length), random(2, 2, 11), random(3, 2, 2), 0.1 * random(3, 1, 1)
        times = (1.3 * torch.rand(3, 2, 1, length if steps == "moving" else 1, dtype=DOUBLE) - 0.15) * max(limit, 1)
        inputs = tuple(t.requires_grad_() for t in (xs, times, past, last, base))

        def run(xs, times, past, last, base):
            ys, state = delay_line_process(xs, times, (past, last), params, base, 1.1)
            return ys, *state

        assert gradcheck(run, inputs, fast_mode=length > 1 and limit != 6.5)


def test_gradients_end_where_times_are_clipped():
    x = random(11)
    for interpolation in INTERPOLATIONS:
        times = torch.tensor([4.0] * 6 + [-0.1, 0.0, 2.7, 4.0, 4.1], dtype=DOUBLE, requires_grad=True)
        (gradient,) = torch.autograd.grad(tap(x, times, 4, interpolation).sum(), times)
        assert (gradient[6:] != 0).tolist() == [False, True, True, True, False]


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_pieces_give_what_the_whole_does(interpolation):
    x, times = random(2, 100), 40 * torch.rand(3, 1, 100, dtype=DOUBLE)
    state, params = delay_line_init(33.3, interpolation)
    expected, final = delay_line_process(x, times, state, params)
    pieces = []
    for piece, moment in zip(x.split([1, 0, 50, 7, 42], -1), times.split([1, 0, 50, 7, 42], -1), strict=True):
        before = [t.clone() for t in state]
        y, after = delay_line_process(piece, moment, state, params)
        assert all(map(torch.equal, before, state))
        pieces.append(y)
        state = after
    torch.testing.assert_close(torch.cat(pieces, -1), expected, atol=1e-15, rtol=0)
    torch.testing.assert_close(state, final, atol=1e-15, rtol=0)
    assert state[0].shape[-1] <= 36


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_sample_by_sample(interpolation):
    x, times = random(2, 20), 9 * torch.rand(2, 20, dtype=DOUBLE)
    state, params = delay_line_init(8, interpolation)
    expected, _ = delay_line_process(x, times, state, params)
    for n in range(20):
        y, state = delay_line_tick(x[:, n], times[:, n], state, params)
        torch.testing.assert_close(y, expected[:, n], atol=1e-15, rtol=0)
    assert delay_line_tick(x[:, 0], 3, state, params)[0].shape == (2,)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_taps_of_one_line_are_like_lines_of_their_own(interpolation):
    for signals, times in [
        ((2, 2, 30), (4, 2, 1, 30)),
        ((2, 2, 30), (4, 1, 1, 1)),
        ((2, 1, 30), (2, 2, 30)),
        ((30,), (3, 30)),
        ((2, 30), (30,)),
        ((2, 3, 30), (1,)),
        ((1, 1, 2, 30), (2, 30)),
    ]:
        x, t = random(*signals), 9 * torch.rand(times, dtype=DOUBLE)
        y = tap(x, t, 8, interpolation)
        x, t = torch.broadcast_tensors(x, t)
        assert y.shape == x.shape
        expected = [reference(*row, 8, interpolation) for row in zip(x.reshape(-1, 30), t.reshape(-1, 30), strict=True)]
        np.testing.assert_allclose(y.reshape(-1, 30), expected, atol=1e-13)


def test_numbers_have_double_precision():
    n = torch.arange(100_000, dtype=DOUBLE)
    y = tap(torch.sin(n / 3).float(), 88_200.123456, 1e5, "cubic")
    expected = torch.sin((n - 88_200.123456) / 3)[90_000:]
    torch.testing.assert_close(y[90_000:].double(), expected, atol=1e-3, rtol=0)
    exact = tap(torch.sin(n / 3), 88_200.123456, 1e5, "cubic")
    torch.testing.assert_close(y.double(), exact, atol=2e-7, rtol=0)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_times_are_scaled_and_added_to_a_base(interpolation):
    x, (state, params) = random(2, 3, 40), delay_line_init(30, interpolation)
    for times, base in (((2, 1, 40), (2, 1)), ((40,), (2, 3)), ((4, 1, 1, 40), ()), ((1,), (5, 1, 1)), ((), (2, 3))):
        m, b = random(*times), 12 + 3 * random(*base)
        y, _ = delay_line_process(x, m, state, params, b, 2.5)
        expected = tap(x, b.unsqueeze(-1) + 2.5 * m, 30, interpolation)
        torch.testing.assert_close(y, expected, atol=1e-12, rtol=0)


def test_times_that_swing_around_a_base_keep_their_precision():
    n = torch.arange(100_000, dtype=DOUBLE)
    swing = torch.sin(n / 1000)
    state, params = delay_line_init(1e5, "cubic")
    y, _ = delay_line_process(torch.sin(n / 3), swing.float(), state, params, 80_000.1)
    expected, _ = delay_line_process(torch.sin(n / 3), swing, state, params, 80_000.1)
    torch.testing.assert_close(y, expected, atol=1e-7, rtol=0)


def test_whole_numbers_as_times():
    x = random(20)
    torch.testing.assert_close(tap(x, torch.full((20,), 3), 5, "cubic"), tap(x, 3.0, 5, "cubic"), atol=0, rtol=0)


@pytest.mark.parametrize("shape", [(2, 2, 0), (0, 2, 5), (2, 0, 5), (0,)])
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_empty_signals(interpolation, shape):
    x = torch.zeros(shape, requires_grad=True)
    for times in (torch.zeros(shape, requires_grad=True), torch.tensor([2.5], requires_grad=True)):
        state, params = delay_line_init(9, interpolation)
        y, state = delay_line_process(x, times, state, params)
        assert y.shape == shape
        gradients = torch.autograd.grad(y.sum(), (x, times))
        assert [g.shape for g in gradients] == [x.shape, times.shape] and not gradients[1].any()
        delay_line_process(x, times, state, params)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_extreme_times_and_levels(interpolation):
    times = torch.tensor([0.0, -0.0, -1e30, 1e30, -torch.inf, torch.inf, 1e-30, 5.5, 5 - 1e-7, 1e9], dtype=DOUBLE)
    for level in (1e-300, 1.0, 1e300):
        x = (level * random(10)).requires_grad_()
        y = tap(x, times.clone().requires_grad_(), 5.7, interpolation)
        assert y.isfinite().all()
        expected = reference(x.detach() / level, times, 5.7, interpolation)
        np.testing.assert_allclose(y.detach().numpy() / level, expected, 1e-12)
        assert all(g.isfinite().all() for g in torch.autograd.grad(y.sum(), x))


@pytest.mark.parametrize("module", [_delay_line_numba, _delay_line_torch])
@pytest.mark.parametrize("kind", range(3))
def test_a_time_that_is_no_number_shows_and_stays_where_it_is(module, kind):
    times = torch.full((1, 21), 3.3)
    times[0, [4, 20]] = torch.nan
    y = module.read_line(torch.randn(1, 21), times, torch.zeros(1), torch.zeros(2, 1).long(), 0, 9.0, 1.0, kind)
    assert y.isnan().nonzero()[:, 1].tolist() == [4, 20]


@pytest.mark.parametrize("limit", [0.0, 0.4, 1.0, 7.5, 90.0])
@pytest.mark.parametrize("kind", range(3))
def test_plain_torch_agrees(kind, limit):
    for past, length, steps in product((0, 5), (0, 1, 30, 48), (1, None)):
        line, grad, base = random(3, past + length), random(5, length), random(4)
        times = moving(4, steps or length, limit=limit) / 1.5
        tensors = line, times, base, torch.tensor([[0, 0, 2, 1, 2], [3, 0, 1, 0, 3]])
        for name, given in (
            ("read_line", (*tensors, past, limit, 1.5, kind)),
            ("read_line_to_line", (grad, *tensors, past, limit, 1.5, kind)),
            ("read_line_to_times", (grad, *tensors, past, limit, 1.5, kind)),
            ("allpass_poles", (times, base, limit, 1.5)),
            ("allpass_poles_backward", (random(*times.shape), times, base, limit, 1.5)),
        ):
            numba, plain = (getattr(m, name)(*given) for m in (_delay_line_numba, _delay_line_torch))
            torch.testing.assert_close(numba, plain, atol=1e-12, rtol=0)


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize("rows, length, dtype", [(3, 9, torch.float32), (2, 0, DOUBLE), (0, 5, DOUBLE)])
@pytest.mark.slow
def test_operators_keep_the_contract(rows, length, dtype, backend, monkeypatch):
    monkeypatch.setattr(dispatch, "_load", lambda name, _: import_module(f"grafx.processors.core.{name}._{backend}"))
    operators, numbers = torch.ops.grafx, torch.arange(rows).repeat(2, 1)
    line, times, base = random(rows, length + 4, dtype=dtype), 7 * torch.rand(rows, length), torch.rand(rows)
    given, grad = (line, times, base), random(rows, length, dtype=dtype)
    for kind in range(3):
        rest = numbers, 4, 6.0, 0.9, kind
        # How gradients are made does not depend on sizes.
        tests = {} if rows == 3 else {"test_utils": ("test_schema", "test_faketensor")}
        opcheck(operators.read_line, (*(t.clone().requires_grad_() for t in given), *rest), **tests)
        for name in ("read_line_to_line", "read_line_to_times"):
            opcheck(getattr(operators, name), (grad, *given, *rest), **tests)
    opcheck(operators.allpass_poles, (*(t.clone().requires_grad_() for t in (times, base)), 6.0, 0.9))
    opcheck(operators.allpass_poles_backward, (times, times, base, 6.0, 0.9))


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.slow
def test_compiles_as_one_graph_for_any_length(interpolation):
    torch._dynamo.reset()
    compiled = torch.compile(lambda x, t: tap(x, t, 12.5, interpolation), fullgraph=True, backend="aot_eager")
    for length in (20, 33):
        inputs = random(2, 2, length).requires_grad_(), (9 * torch.rand(2, 1, length)).requires_grad_()
        y, expected = compiled(*inputs), tap(*inputs, 12.5, interpolation)
        torch.testing.assert_close(y, expected)
        weights = torch.randn_like(y)
        torch.testing.assert_close(*(torch.autograd.grad(out, inputs, weights) for out in (y, expected)))


def test_what_asks_for_no_gradient_costs_none(monkeypatch):
    def refuse(*arguments):
        raise AssertionError("a gradient was computed that nobody asked for")

    x, times = random(1, 30), torch.rand(1, 30, dtype=DOUBLE)
    monkeypatch.setattr(_delay_line_numba, "read_line_to_times", refuse)
    tap(x.clone().requires_grad_(), times, 3, "linear").sum().backward()
    monkeypatch.undo()
    monkeypatch.setattr(_delay_line_numba, "read_line_to_line", refuse)
    tap(x, times.requires_grad_(), 3, "linear").sum().backward()


def test_any_memory_layout():
    x, times = random(30, 3).mT, (9 * torch.rand(30, 2, 1, dtype=DOUBLE)).permute(1, 2, 0)
    y = tap(x, times, 8, "cubic")
    torch.testing.assert_close(y, tap(x.contiguous(), times.contiguous(), 8, "cubic"), atol=0, rtol=0)


@pytest.mark.parametrize("num_threads", [1, 3, 16])
def test_rows_are_shared_out_over_threads(monkeypatch, num_threads):
    x, times = random(4, 50), (9 * torch.rand(5, 4, 50, dtype=DOUBLE)).requires_grad_()
    x.requires_grad_()
    expected = tap(x, times, 8, "cubic")
    gradients = torch.autograd.grad(expected.square().sum(), (x, times))
    monkeypatch.setattr(numba_rows, "MIN_WORK_PER_THREAD", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: num_threads)
    y = tap(x, times, 8, "cubic")
    assert torch.equal(y, expected)
    assert all(map(torch.equal, torch.autograd.grad(y.square().sum(), (x, times)), gradients))


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_how_late_outputs_are_at_least(interpolation):
    for least in (0.0, 0.2, 0.7, 1.0, 1.4, 1.6, 2.5, 7.0):
        params = delay_line_init(9, interpolation)[1]
        times = least + 3 * torch.rand(25, dtype=DOUBLE)
        times[::5] = least
        delay = delay_line_min_delay(times, params)
        assert least - 2 < delay <= least
        jacobian = torch.autograd.functional.jacobian(lambda x, t=times: tap(x, t, 9, interpolation), random(25))
        lateness = np.subtract(*jacobian.numpy().nonzero())
        assert lateness.min() >= delay
        assert (lateness.min() == delay) or float(least).is_integer()


def test_how_late_outputs_are_at_the_ends():
    _, params = delay_line_init(9.5)
    assert delay_line_min_delay(100.0, params) == 9
    assert delay_line_min_delay(torch.tensor([20.0, -3.0]), params) == 0
    assert delay_line_min_delay(torch.tensor([torch.nan]), params) == 0
    assert delay_line_min_delay(torch.zeros(0), params) == 9


@pytest.mark.parametrize("limit", [0, 0.4, 1, 7.5])
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_taps_are_silent_after_the_tail(interpolation, limit):
    state, params = delay_line_init(limit, interpolation)
    x = torch.nn.functional.pad(random(20), (0, 40))
    tail = delay_line_tail(params)
    y, _ = delay_line_process(x, limit * torch.rand(50, 60, dtype=DOUBLE), state, params)
    assert y[:, 20 + tail :].abs().max() <= 1e-3 * x.abs().max()
    assert tail <= limit + 10


def test_what_does_not_fit_is_refused_by_name():
    with pytest.raises(ParameterError, match="Unknown interpolation 'sinc': use one of linear, cubic, allpass"):
        delay_line_init(9, "sinc")
    for limit in (-1, float("nan"), float("inf")):
        with pytest.raises(ParameterError, match="max_delay is the longest time and must be 0 or more samples, not"):
            delay_line_init(limit)
    with pytest.raises(ParameterError, match=r"last axis of times \(2, 5\) must be as long as that of xs \(2, 6\)"):
        tap(torch.zeros(2, 6), torch.zeros(2, 5), 9, "linear")
    with pytest.raises(ParameterError, match=r"xs \(2, 6\), times \(3, 6\) and their base \(\) do not broadcast: give"):
        tap(torch.zeros(2, 6), torch.zeros(3, 6), 9, "linear")
    with pytest.raises(ParameterError, match=r"not torch\.int64: convert it"):
        tap(torch.arange(6), torch.zeros(6), 9, "linear")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_works_in_a_forked_worker():
    x, times = torch.rand(4, 20_000), 300 * torch.rand(4, 20_000)
    expected = tap(x, times, 300, "linear")
    pid = os.fork()
    if pid == 0:
        # Without torch's own operators, whose threads do not survive a fork.
        os._exit(0 if np.array_equal(tap(x, times, 300, "linear").numpy(), expected.numpy()) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
