from fractions import Fraction
from pathlib import Path

import grafx.processors
import numpy as np
import pytest
import torch
from grafx.processors import (
    AllpassSmoother,
    OnePoleSmoother,
    RampSmoother,
    allpass_smoother_init,
    allpass_smoother_process,
    allpass_smoother_tick,
    onepole_smoother_init,
    onepole_smoother_process,
    onepole_smoother_tick,
    ramp_smoother_init,
    ramp_smoother_process,
    ramp_smoother_tick,
)
from grafx.processors.base import ParameterError
from torch.autograd import gradcheck

DOUBLE = torch.float64
REFERENCE = Path(__file__).parents[3] / "shared" / "parity" / "smoothing.npz"
SMOOTHERS = {
    "onepole": (onepole_smoother_init, onepole_smoother_tick, onepole_smoother_process),
    "ramp": (ramp_smoother_init, ramp_smoother_tick, ramp_smoother_process),
    "allpass": (allpass_smoother_init, allpass_smoother_tick, allpass_smoother_process),
}
INITIAL = {"onepole": (0.3,), "ramp": (0.3, -0.5), "allpass": (0.3,)}
RANGES = {"onepole": (-0.2, 1.3), "ramp": (-3.0, 20.0), "allpass": (-1.2, 1.2)}
ITEMS, SAMPLES = (3, 2), 60
SHAPES = {
    "a number": (),
    "one for each item": (3, 2),
    "one for each channel": (2,),
    "one for each row": (3, 1),
    "constants with an axis of time": (3, 2, 1),
    "one for each sample": (3, 2, SAMPLES),
    "samples for each channel": (1, 2, SAMPLES),
    "samples for all": (SAMPLES,),
}


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


def random_parameter(name, *shape):
    low, high = RANGES[name]
    return low + (high - low) * torch.rand(shape, dtype=DOUBLE)


def signals(name, length=SAMPLES, items=ITEMS, dtype=DOUBLE):
    """Noise, or steps for ramps."""
    x = torch.randn(*items, length, dtype=DOUBLE)
    return (x.repeat_interleave(7, -1)[..., :length] if name == "ramp" else x).to(dtype)


def onepole_sample(x, state, alpha):
    (y,) = state
    y = y + min(max(alpha, 0), 1) * (x - y)
    return y, (y,)


def ramp_sample(x, state, duration):
    value, target, increment, remaining = state
    if remaining <= 0.5 or abs(x - target) > 1e-12:
        remaining = max(duration, 1)
        target, increment = x, (x - value) / remaining
    else:
        remaining -= 1
    if remaining <= 1:
        return target, (target, target, increment, 0)
    return value + increment, (value + increment, target, increment, remaining)


def allpass_sample(x, state, a):
    past, before = state
    a = min(max(a, -0.999), 0.999)
    y = a * x + past - a * before
    return y, (x, y)


SAMPLE = {"onepole": onepole_sample, "ramp": ramp_sample, "allpass": allpass_sample}


def loop(name, x, state, parameter):
    """Sample by sample, for x (items, samples), and everything else of the same shape."""
    y, finals = np.empty(x.shape), []
    for i, row in enumerate(x.tolist()):
        now = tuple(s[i] for s in state)
        for n, value in enumerate(row):
            y[i, n], now = SAMPLE[name](value, now, parameter[i, n])
        finals.append(now)
    return y, np.array(finals).T


def on_all(name, x, parameter):
    """The loop for the initial values of this module, with a parameter (items, samples)."""
    first, *_ = INITIAL[name]
    state = {"onepole": [first], "allpass": [first, first]}.get(name)
    if name == "ramp":
        target, duration = INITIAL[name][1], 5.5
        state = [first, target, (target - first) / duration, duration]
    flat = x.reshape(-1, x.shape[-1]).double().numpy()
    y, final = loop(name, flat, [[s] * len(flat) for s in state], parameter.expand(x.shape).reshape(flat.shape).numpy())
    return y.reshape(x.shape), final.reshape(-1, *x.shape[:-1])


def begin(name):
    init = SMOOTHERS[name][0]
    return init(*INITIAL[name], 5.5 if name == "ramp" else 0.5)[0]


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", SMOOTHERS)
def test_is_the_loop_over_samples(name, shape, dtype):
    _, _, process = SMOOTHERS[name]
    x, parameter = signals(name, dtype=dtype), random_parameter(name, *SHAPES[shape]).to(dtype)
    y, state = process(x, begin(name), (parameter,))
    per_sample = SHAPES[shape][-1:] in [(1,), (SAMPLES,)] and shape != "one for each row"
    expected, final = on_all(name, x, (parameter if per_sample else parameter[..., None]).double())
    tolerance = 1e-6 if dtype == torch.float32 else 1e-12
    assert y.dtype == dtype and all(s.dtype == dtype for s in state)
    np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance)
    for result, number in zip(state, final, strict=True):
        assert result.shape == ITEMS
        np.testing.assert_allclose(result, number, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("items", [(), (1,), ITEMS])
@pytest.mark.parametrize("name", SMOOTHERS)
def test_ticks_and_pieces_are_the_whole(name, items, dtype):
    _, tick, process = SMOOTHERS[name]
    x = signals(name, 90, items, dtype)
    for parameter in (random_parameter(name, *items), random_parameter(name, *items, 90)):
        parameter = parameter.to(dtype)
        whole, final = process(x, begin(name), (parameter,))
        varies = parameter.ndim == x.ndim
        state, samples = begin(name), []
        for n in range(90):
            y, state = tick(x[..., n], state, (parameter[..., n] if varies else parameter,))
            assert y.shape == items
            samples.append(y)
        ticked = torch.stack(samples, -1), *state
        state, pieces = begin(name), []
        for start, stop in [(0, 0), (0, 31), (31, 31), (31, 32), (32, 90), (90, 90)]:
            part = parameter[..., start:stop] if varies else parameter
            y, state = process(x[..., start:stop], state, (part,))
            pieces.append(y)
        for result in (ticked, (torch.cat(pieces, -1), *state)):
            for a, b in zip(result, (whole, *final), strict=True):
                assert a.dtype == dtype and a.shape == b.shape
                torch.testing.assert_close(a, b, rtol=3e-6 if dtype == torch.float32 else 1e-12, atol=3e-6)


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference data is not at hand")
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize(
    "case, initial",
    {
        "onepole": (0.3, 0.05),
        "onepole_varying": (0.0, 0.05),
        "onepole_clipped": (0.0, 1.7),
        "ramp_steps": (0.0, 0.0, 40),
        "ramp_retrigger": (0.5, -1.0, 150),
        "ramp_every_sample": (0.0, 0.0, 7),
        "ramp_varying": (0.0, 0.0, 10),
        "allpass": (0.0, 0.7),
        "allpass_negative": (0.2, -0.4),
        "allpass_varying": (0.0, 0.0),
    }.items(),
)
def test_is_the_reference(case, initial, dtype):
    data = np.load(REFERENCE)
    init, _, process = SMOOTHERS[case.split("_")[0]]
    signal = "steps" if case in ("ramp_steps", "ramp_retrigger", "ramp_varying") else "x"
    x, parameter = (torch.tensor(data[key], dtype=dtype).requires_grad_() for key in (signal, f"{case}.param"))
    state, _ = init(*initial)
    y, state = process(x, state, (parameter,))
    gradients = torch.autograd.grad((y * torch.tensor(data[f"{case}.w"])).sum(), (x, parameter))
    finals = {f"state{i}": value for i, value in enumerate(state)}
    results = {"y": y, **finals, "gx": gradients[0], "gparam": gradients[1]}
    assert {f"{case}.{key}" for key in results} == {k for k in data.files if k.startswith(f"{case}.")} - {
        f"{case}.param",
        f"{case}.w",
    }
    for key, result in results.items():
        expected = data[f"{case}.{key}"]
        limit = (1e-3 if key.startswith("g") else 1e-5) * np.linalg.norm(expected)
        assert result.shape == expected.shape
        assert np.linalg.norm(result.detach().numpy() - expected) <= limit, key


@pytest.mark.parametrize("samples", [False, True])
@pytest.mark.parametrize("name", ["onepole", "allpass"])
def test_gradients(name, samples):
    _, _, process = SMOOTHERS[name]
    parameter = 0.1 + 0.8 * torch.rand(2, 9 if samples else 1, dtype=DOUBLE)
    state = [torch.randn(2, dtype=DOUBLE) for _ in begin(name)]

    def run(x, parameter, *state):
        y, after = process(x, state, (parameter,))
        return y, *after

    arguments = [t.requires_grad_() for t in (torch.randn(2, 9, dtype=DOUBLE), parameter, *state)]
    assert gradcheck(run, arguments)


def test_gradients_of_ramps():
    """Targets that are equal move together, for a difference between them would start another ramp."""

    def run(levels, value, target, duration, durations):
        state, params = ramp_smoother_init(value, target, duration)
        y, state = ramp_smoother_process(levels.repeat_interleave(5, -1), state, params)
        z, state = ramp_smoother_process(levels.repeat_interleave(4, -1) + 1, state, (durations,))
        return y, z, *state

    arguments = torch.randn(2, 3), torch.randn(2), torch.randn(2), torch.tensor([2.6, 7.3]), 9 * torch.rand(2, 12)
    assert gradcheck(run, [t.to(DOUBLE).requires_grad_() for t in arguments])


@pytest.mark.parametrize("name", SMOOTHERS)
def test_gradients_flow_from_piece_to_piece(name):
    init, _, process = SMOOTHERS[name]
    x, number = signals(name).requires_grad_(), torch.tensor(0.4, dtype=DOUBLE, requires_grad=True)
    gradients = []
    for cuts in ([SAMPLES], [13, 0, 40, 7]):
        state, params = init(*INITIAL[name][:-1], number, number * 12 if name == "ramp" else number)
        pieces = []
        for part in x.split(cuts, -1):
            y, state = process(part, state, params)
            pieces.append(y)
        weights = torch.linspace(-1, 2, SAMPLES, dtype=DOUBLE)
        total = (torch.cat(pieces, -1) * weights).sum() + sum(s.sum() for s in state)
        gradients.append(torch.autograd.grad(total, (x, number)))
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize(
    "name, outside, limit",
    [
        ("onepole", -0.4, 0.0),
        ("onepole", 1.7, 1.0),
        ("allpass", 2.0, 0.999),
        ("allpass", -1.0, -0.999),
        ("ramp", -8, 1),
    ],
)
def test_parameters_outside_their_range_are_at_its_ends_and_have_no_gradient(name, outside, limit):
    _, _, process = SMOOTHERS[name]
    x = signals(name)
    for shape in ((), (3, 2), x.shape):
        results = []
        for value in (outside, limit):
            parameter = torch.full(shape, float(value), dtype=DOUBLE, requires_grad=True)
            results.append(process(x, begin(name), (parameter,))[0])
            if value == outside:
                (gradient,) = torch.autograd.grad(results[0].square().sum(), parameter)
                assert gradient.shape == shape and not gradient.any()
        assert torch.equal(*results)


def test_onepole_passes_with_one_and_holds_with_zero():
    x = torch.randn(2, 50)
    for parameter in (1.0, torch.ones(2, 50)):
        assert torch.equal(onepole_smoother_process(x, (0.7,), (parameter,))[0], x)
    for parameter in (0.0, torch.zeros(2, 50)):
        assert (onepole_smoother_process(x, (0.7,), (parameter,))[0] == torch.tensor(0.7)).all()


@pytest.mark.parametrize("varies", [False, True])
def test_single_precision_keeps_its_digits_where_little_is_left_of_coefficients(varies):
    x = 0.1 + 0.01 * torch.randn(30_000)
    alpha, a = (torch.full((30_000,) if varies else (), value) for value in (1e-5, -0.999))
    for process, state, parameter in [
        (onepole_smoother_process, (0.0,), alpha),
        (allpass_smoother_process, (0.0, 0.0), a),
    ]:
        y, _ = process(x, state, (parameter,))
        expected, _ = process(x.double(), state, (parameter.double(),))
        assert (y - expected).norm() < 2e-7 * expected.norm()


@pytest.mark.parametrize("items", [(), (4,), (0,)])
@pytest.mark.parametrize("name", SMOOTHERS)
def test_nothing_leaves_the_state_as_it_is(name, items):
    _, _, process = SMOOTHERS[name]
    state = begin(name)
    for parameter in (0.5, torch.ones(*items, 0)):
        y, after = process(torch.zeros(*items, 0), state, (parameter,))
        assert y.shape == (*items, 0)
        for a, b in zip(after, state, strict=True):
            torch.testing.assert_close(a, b.float().expand(items))


@pytest.mark.parametrize("name, shape", zip(SMOOTHERS, [(), (3, 2), (3, 2, SAMPLES)], strict=True))
@pytest.mark.slow
def test_compiles_as_one_graph(name, shape):
    _, _, process = SMOOTHERS[name]
    state, x = begin(name), signals(name, dtype=torch.float32).requires_grad_()
    parameter = random_parameter(name, *shape).float()
    torch._dynamo.reset()
    compiled = torch.compile(process, fullgraph=True, backend="aot_eager")
    (y, after), (expected, expected_after) = (run(x, state, (parameter,)) for run in (compiled, process))
    torch.testing.assert_close((y, *after), (expected, *expected_after))
    gradients = [torch.autograd.grad(result.square().sum(), x)[0] for result in (y, expected)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("name", SMOOTHERS)
def test_a_state_outlives_the_signal_that_it_comes_from(name):
    _, _, process = SMOOTHERS[name]
    x = signals(name)
    y, state = process(x, begin(name), (0.5,))
    before = [s.clone() for s in state]
    x.zero_(), y.zero_()
    for a, b in zip(state, before, strict=True):
        assert torch.equal(a, b)


def test_a_target_in_double_precision_is_where_a_signal_in_single_precision_is():
    state, params = ramp_smoother_init(0.0, 0.1, 4)
    y, state = ramp_smoother_process(torch.full((2,), 0.1), state, params)
    assert state[3] == 2  # the ramp that began with the state goes on
    np.testing.assert_allclose(y, [0.025, 0.05], rtol=1e-6)


def test_initial_values_are_what_is_given():
    (value,), (alpha,) = onepole_smoother_init(0.1, 0.05)
    assert value.item() == 0.1 and alpha.item() == 0.05
    tensor = torch.ones(3, requires_grad=True)
    state, (a,) = allpass_smoother_init(tensor, 7)
    assert state[0] is tensor and state[1] is tensor and a.item() == 7
    state, (duration,) = ramp_smoother_init(1, torch.tensor([2.0, 5.0], dtype=DOUBLE), torch.tensor([4, -4]))
    assert [s.tolist() for s in state] == [1, [2, 5], [0.25, 4], [4, 1]] and duration.tolist() == [4, 1]


@pytest.mark.parametrize("name", SMOOTHERS)
def test_refuses_what_does_not_fit(name):
    _, tick, process = SMOOTHERS[name]
    x, state = torch.randn(3, 2, 8), begin(name)
    for wrong in (x.long(), x[0, 0, 0], x.numpy()):
        with pytest.raises(ParameterError, match="xs must be a tensor"):
            process(wrong, state, (0.5,))
    for wrong in ((7,), (3,), (3, 2, 7), (1, 3, 2, 8), (3, 8)):
        with pytest.raises(ParameterError, match="must be a number, have one for each item"):
            process(x, state, (torch.ones(wrong),))
    with pytest.raises(ParameterError, match=r"broadcast to the leading axes \(3, 2\)"):
        process(x, (torch.ones(8), *state[1:]), (0.5,))
    with pytest.raises(ParameterError, match="state must be the tuple"):
        process(x, (*state, *state), (0.5,))
    with pytest.raises(ParameterError, match="params must be the tuple"):
        tick(x[..., 0], state, 0.5)


# --- Processors


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_processors_are_the_functions_from_rest(dtype):
    x = signals("ramp", 3000, (3, 2), dtype)
    ms, a = torch.tensor([0.1, 5.0, 1000.0]), torch.tensor([-0.9, 0.0, 0.99])
    alpha = 1 - torch.exp(-1 / (ms.double() * 48))
    for processor, control, functions, start in [
        (OnePoleSmoother(48000), {"smoothing_ms": ms}, SMOOTHERS["onepole"], (0, alpha[:, None])),
        (RampSmoother(48000), {"duration_ms": ms}, SMOOTHERS["ramp"], (0, 0, ms[:, None] * 48)),
        (AllpassSmoother(48000), {"coefficient": a}, SMOOTHERS["allpass"], (0, a[:, None])),
    ]:
        init, _, process = functions
        expected, _ = process(x, *init(*start))
        torch.testing.assert_close(processor(x, dsp_params=control), expected, rtol=1e-5, atol=1e-5)


def test_onepole_takes_its_time_to_a_step():
    step = torch.ones(1, 1, 4410, dtype=DOUBLE)
    y = OnePoleSmoother()(step, dsp_params={"smoothing_ms": 20})[0, 0]
    np.testing.assert_allclose(y[881], 1 - np.exp(-1), rtol=1e-9)  # the 882nd sample


def test_ramp_takes_its_time_to_a_step():
    step = torch.ones(1, 1, 1000, dtype=DOUBLE)
    y = RampSmoother()(step, dsp_params={"duration_ms": 10})[0, 0]
    np.testing.assert_allclose(y[:441], np.arange(1, 442) / 441, rtol=1e-12)
    assert (y[441:] == 1).all()


def test_allpass_passes_all_and_delays():
    x = torch.zeros(1, 1, 4096, dtype=DOUBLE)
    x[..., 0] = 1
    for a in (-0.9, -0.3, 0.0, 0.6):
        h = AllpassSmoother()(x, dsp_params={"coefficient": torch.tensor(a, dtype=DOUBLE)})[0, 0].numpy()
        np.testing.assert_allclose(np.abs(np.fft.rfft(h)), 1, rtol=1e-9)
        np.testing.assert_allclose((np.arange(4096) * h).sum(), (1 - a) / (1 + a), rtol=1e-9)


def test_tails_are_no_longer_than_they_must_be():
    assert RampSmoother().tail_samples(**RampSmoother().dsp_to_raw({"duration_ms": [10.0, 100.0]})) in (4410, 4411)
    per_ms = 44.1
    tail = OnePoleSmoother().tail_samples(**OnePoleSmoother().dsp_to_raw({"smoothing_ms": [100.0, 2.0]}))
    assert abs(tail - 3 * np.log(10) * 100 * per_ms) < 50
    tail = AllpassSmoother().tail_samples(**AllpassSmoother().dsp_to_raw({"coefficient": [0.1, -0.99]}))
    assert abs(tail + 3 * np.log(10) / np.log(0.99)) < 5


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_small_coefficients_keep_their_digits(per_sample, dtype):
    for alpha in (1e-3, 1e-6, 1e-12, 1e-17, 1e-30):
        params = (torch.full((4,), alpha, dtype=torch.float64) if per_sample else alpha,)
        xs = torch.ones(4, dtype=dtype)
        ys, _ = onepole_smoother_process(xs, (0.0,), params)
        exact = [1 - (1 - Fraction(alpha)) ** (n + 1) for n in range(4)]
        expected = torch.tensor([float(y) for y in exact], dtype=dtype)
        torch.testing.assert_close(ys, expected, rtol=4 * torch.finfo(dtype).eps, atol=0)
        logit = torch.tensor([[np.log(alpha) - np.log1p(-alpha)]])
        y = OnePoleSmoother()(xs[None, None], z_alpha=logit)[0, 0]
        torch.testing.assert_close(y, expected, rtol=1e-5 if dtype == torch.float32 else 1e-13, atol=0)


@pytest.mark.parametrize(
    ("kind", "values"), [("onepole", (0.5, 0.1)), ("ramp", (0.5, 1.0, 8.0)), ("allpass", (0.5, 0.3))]
)
def test_states_are_made_in_a_type_and_updated_to_themselves(kind, values):
    init, update = (getattr(grafx.processors, f"{kind}_smoother_{name}") for name in ("init", "update_state"))
    default = init(*values)
    assert {t.dtype for part in default for t in part} == {torch.float64}
    for dtype in (torch.float32, torch.float64):
        given = (torch.tensor(values[0], dtype=torch.float64), *values[1:])
        state, params = init(*given, dtype=dtype)
        assert {t.dtype for t in (*state, *params)} == {dtype}
        for made, expected in zip((*state, *params), (*default[0], *default[1]), strict=True):
            torch.testing.assert_close(made, expected.to(dtype))
        assert update(state, params) is state
