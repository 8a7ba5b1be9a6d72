import numpy as np
import pytest
import torch
from grafx.processors import LowPassFilter
from grafx.processors.base import ParameterError
from grafx.processors.synth.envelope import ADSR, ExponentialEnvelope
from torch.autograd import gradcheck

from grafx.data import GRAFX, NodeConfigs
from grafx.render import Renderer, StreamRenderer

RATE = 44100
KICK = {"attack_ms": 5.0, "decay_ms": 80.0, "sustain": 0.1, "release_ms": 100.0, "hold_ms": 85.0}


def by_hand(length, attack_ms, decay_ms, sustain, release_ms, hold_ms, curve):
    """The curve of the documentation, in milliseconds."""

    def fall(x):
        return np.maximum(0, 1 - x) if curve == "linear" else 10 ** (-3 * x)

    def held(t):
        return np.where(t < attack_ms, t / attack_ms, sustain + (1 - sustain) * fall(np.abs(t - attack_ms) / decay_ms))

    t = 1000 * np.arange(length) / RATE
    return np.where(t < hold_ms, held(t), held(np.float64(hold_ms)) * fall(np.abs(t - hold_ms) / release_ms))


@pytest.mark.parametrize("curve", ["exponential", "linear"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("changes", [{}, {"sustain": 0.0}, {"sustain": 1.0}, {"hold_ms": 2.0}, {"hold_ms": 3000.0}])
def test_adsr_is_the_formula(curve, dtype, changes):
    setting = KICK | changes
    values = {name: torch.tensor([value], dtype=dtype) for name, value in setting.items()}
    y = ADSR(curve)(num_samples=12345, dsp_params=values)
    assert y.dtype == dtype and y.shape == (1, 1, 12345)
    expected = by_hand(12345, **setting, curve=curve)
    np.testing.assert_allclose(y[0, 0], expected, rtol=0, atol=2e-6 if dtype == torch.float32 else 1e-12)


@pytest.mark.parametrize("curve", ["exponential", "linear"])
def test_a_gate_gives_what_the_generator_does(curve):
    hold = torch.tensor([1, 900, 5000])
    gate = (torch.arange(9000) < hold[:, None]).double()[:, None]
    values = {name: value for name, value in KICK.items() if name != "hold_ms"}
    expected = ADSR(curve)(num_samples=9000, dsp_params={**values, "hold_ms": hold.double() / RATE * 1000})
    torch.testing.assert_close(ADSR(curve, gated=True)(gate, dsp_params=values), expected, rtol=0, atol=1e-10)


def test_each_channel_has_its_gate_and_each_row_its_times():
    gate = torch.zeros(2, 2, 5000)
    gate[:, 0, 100:2000] = gate[:, 1, 3000:] = 1
    values = {"attack_ms": torch.tensor([1.0, 20.0]), "sustain": 0.5}
    y = ADSR(gated=True)(gate, dsp_params=values)
    assert y.shape == gate.shape and not y[:, 0, :101].any() and not y[:, 1, :3001].any()
    torch.testing.assert_close(y[:, 1, 3000:4000], y[:, 0, 100:1100], rtol=0, atol=1e-6)
    assert y[0, 0].argmax() < 150 < 950 < y[1, 0].argmax()


@pytest.mark.parametrize("gate", [0.5, 0.2, -3.0, float("nan")])
def test_up_to_one_half_a_gate_is_closed(gate):
    for processor in (ADSR(gated=True), ExponentialEnvelope(gated=True)):
        assert not processor(torch.full((1, 1, 50), gate), dsp_params={}).any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_exponential_is_the_formula(dtype):
    values = {"amplitude": torch.tensor([900.0, 0.01], dtype=dtype), "decay_rate": torch.tensor([50.0, 0.2])}
    y = ExponentialEnvelope()(num_samples=44101, dsp_params=values)
    t = np.arange(44101) / RATE
    expected = np.stack([900 * np.exp(-50 * t), 0.01 * np.exp(-0.2 * t)])[:, None]
    assert y.dtype == dtype
    np.testing.assert_allclose(y, expected, rtol=2e-5 if dtype == torch.float32 else 1e-6)
    precise = {"amplitude": 900.0, "decay_rate": torch.tensor([50.0, 0.2]).double()}
    y = ExponentialEnvelope()(num_samples=44101, dsp_params=precise)
    np.testing.assert_allclose(y[0], expected[0], rtol=1e-12)


@pytest.mark.parametrize("length", [0, 1, 2, 777])
def test_a_gate_strikes_an_exponential_whenever_it_opens(rng, length):
    gate = (rng.random((2, 3, length)) < 0.1).cumsum(-1) % 2
    expected = np.zeros_like(gate, dtype=float)
    for row, amplitude, rate in ((0, 2.0, 300.0), (1, 0.3, 5000.0)):
        for channel in range(3):
            level, before = 0.0, 0
            for n in range(length):
                level *= np.exp(-rate / RATE)
                if gate[row, channel, n] and not before:
                    level = amplitude
                before = gate[row, channel, n]
                expected[row, channel, n] = level
    values = {"amplitude": torch.tensor([2.0, 0.3]).double(), "decay_rate": torch.tensor([300.0, 5000.0]).double()}
    y = ExponentialEnvelope(gated=True)(torch.tensor(gate).double(), dsp_params=values)
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-37)


def test_a_struck_exponential_is_the_generator():
    gate = torch.zeros(1, 1, 900)
    gate[..., :3] = 1
    values = {"amplitude": 3.0, "decay_rate": 40.0}
    expected = ExponentialEnvelope()(num_samples=900, dsp_params=values)
    torch.testing.assert_close(ExponentialEnvelope(gated=True)(gate, dsp_params=values), expected)


PROCESSORS = [
    ADSR(sample_rate=1000),
    ADSR("linear", sample_rate=1000),
    ADSR(gated=True, sample_rate=1000),
    ADSR("linear", gated=True, sample_rate=1000),
    ExponentialEnvelope(sample_rate=1000),
    ExponentialEnvelope(gated=True, sample_rate=1000),
]


def signals_and_length(processor, batch, length, generator=0):
    """Arguments of a call: a gate that opens and closes, or a length."""
    random = torch.Generator().manual_seed(generator)
    gate = (torch.rand(batch, 2, length, generator=random, dtype=torch.float64) < 0.06).cumsum(-1) % 2
    return ((gate.double(),), {}) if processor.gated else ((), {"num_samples": length})


@pytest.mark.parametrize("processor", PROCESSORS, ids=str)
def test_gradients(processor):
    signals, length = signals_and_length(processor, 2, 60)
    torch.manual_seed(1)
    raw = {n: torch.randn(2, 1, dtype=torch.float64, requires_grad=True) for n in processor.parameter_size()}

    def run(*values):
        return processor(*signals, **length, **dict(zip(raw, values, strict=True)))

    assert gradcheck(run, tuple(raw.values()))


@pytest.mark.parametrize("processor", PROCESSORS, ids=str)
def test_parameters_may_change_from_block_to_block(processor):
    (signals, _), state = signals_and_length(processor, 1, 200), None
    first, second = ({n: torch.full((1, 1), v).double() for n in processor.parameter_size()} for v in (0.0, 0.3))
    blocks = []
    for raw, part in ((first, slice(0, 90)), (first, slice(90, 90)), (second, slice(90, 200))):
        given = {} if signals else {"num_samples": part.stop - part.start}
        y, state = processor.stream(*(s[..., part] for s in signals), state=state, **given, **raw)
        blocks.append(y)
    given = {} if signals else {"num_samples": 200}
    torch.testing.assert_close(torch.cat(blocks[:2], -1), processor(*signals, **given, **first)[..., :90])
    assert blocks[2].isfinite().all() and blocks[2].shape[-1] == 110


@pytest.mark.parametrize("processor", PROCESSORS, ids=str)
@pytest.mark.parametrize("value", [-1e30, -100.0, 100.0, 1e30])
def test_any_raw_value_is_finite(processor, value):
    signals, length = signals_and_length(processor, 1, 300)
    raw = {n: torch.full((1, 1), value, requires_grad=True) for n in processor.parameter_size()}
    y = processor(*(s.float() for s in signals), **length, **raw)
    assert y.isfinite().all()
    assert all(g.isfinite().all() for g in torch.autograd.grad(y.sum(), raw.values()))
    assert processor.tail_samples(**raw) >= 0


def test_tails():
    values = {"hold_ms": torch.tensor([300.0, 100.0]), "release_ms": torch.tensor([200.0, 500.0])}
    timed, gated = ADSR(sample_rate=1000), ADSR(gated=True, sample_rate=1000)
    assert timed.tail_samples(**timed.dsp_to_raw(values)) in (600, 601)
    assert gated.tail_samples(**gated.dsp_to_raw({"release_ms": values["release_ms"]})) in (500, 501)
    decay = ExponentialEnvelope(sample_rate=1000)
    tail = decay.tail_samples(**decay.dsp_to_raw({"decay_rate": torch.tensor([10.0, 20.0])}))
    assert abs(tail - 100 * np.log(1000)) <= 1
    assert timed.tail_samples(**{n: torch.zeros(0, 1) for n in timed.parameter_size()}) == 0


@pytest.mark.parametrize("stereo", [1, 2])
def test_in_a_graph(stereo):
    """A gate drives an envelope, which drives a filter; two generators are mixed to it."""
    processors = {"env": ADSR(gated=True), "low": LowPassFilter(), "hit": ADSR("linear"), "fall": ExponentialEnvelope()}
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    source, out = G.add("in"), G.add("out")
    envelopes = [G.add("env") for _ in range(2)]
    low, mix = G.add("low"), G.add("mix")
    for envelope in envelopes:
        G.connect(source, envelope, inlet="gate")
        G.connect(envelope, low)
    hit, fall = G.add("hit"), G.add("fall")
    for node in (low, hit, fall):
        G.connect(node, mix)
    G.connect(mix, out)
    renderer = Renderer(G, processors)
    gate = torch.zeros(1, stereo, 3000)
    gate[..., 200:1500] = 1
    row = {t: {n: p.detach() for n, p in held.items()} for t, held in renderer.per_type_parameters.items()}
    envelope = sum(processors["env"](gate, **{n: p[i : i + 1] for n, p in row["env"].items()}) for i in range(2))
    expected = processors["low"](envelope, **row["low"])
    for generator in ("hit", "fall"):
        expected = expected + processors[generator](num_samples=3000, **row[generator])
    torch.testing.assert_close(renderer(gate), expected)
    renderer(gate).sum().backward()
    assert all(p.grad.isfinite().all() for p in renderer.parameters())
    stream = StreamRenderer(renderer.graph(), processors)
    blocks = [stream(block) for block in gate.split([700, 1, 0, 1299, 1000], -1)]
    torch.testing.assert_close(torch.cat([*blocks, stream.finish(tail=False)], -1), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: ADSR("cubic"), "curve must be one of 'exponential', 'linear', not 'cubic'"),
        (lambda: ADSR()(dsp_params={}), r"ADSR\(gated=False\) has no inlet: give num_samples"),
        (lambda: ADSR(gated=True)(torch.ones(1, 1, 5), num_samples=5, dsp_params={}), "leave num_samples out"),
        (lambda: ADSR(gated=True)(dsp_params={}), "ADSR needs a signal for each of its inlets gate"),
        (lambda: ADSR()(num_samples=5, log_attack=torch.zeros(1, 1)), "log_decay"),
        (lambda: ADSR()(num_samples=5, dsp_params={"sustain": 2.0}), "sustain is 2"),
        (lambda: ADSR(gated=True)(torch.ones(1, 1, 5), dsp_params={"hold_ms": 2.0}), "no control 'hold_ms'"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(ParameterError, match=message):
        call()
