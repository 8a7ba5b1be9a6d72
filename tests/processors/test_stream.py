"""Containers in blocks, and what holds for streams of any processor."""

from itertools import permutations

import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F
from grafx.processors import (
    Compressor,
    DeEsser,
    DryWet,
    FeedbackDelay,
    GainStagingRegularization,
    HaasEnhancer,
    LadderFilter,
    Limiter,
    LowShelf,
    MultiBand,
    ParallelMix,
    SerialChain,
    STFTMaskedNoiseReverb,
    TanhDistortion,
    ZeroPhaseFIREqualizer,
)
from grafx.processors.base import ParameterError, Processor

LENGTH = 2000


class Previous(nn.Module):
    """The sample before, by a method ``stream`` of its own."""

    def parameter_size(self):
        return {}

    def forward(self, x):
        return F.pad(x, (1, 0))[..., :-1]

    def stream(self, block, state=None):
        past = block.new_zeros(*block.shape[:-1], 1) if state is None else state
        line = torch.cat([past, block], -1)
        return line[..., :-1], line[..., -1:].clone()


def eq(bins=16):
    return ZeroPhaseFIREqualizer(bins)


CONTAINERS = {
    "dry and wet": (DryWet(eq(), external_param=False), 15),
    "chain": (SerialChain({"a": eq(), "b": Limiter(lookahead_ms=1.0), "c": eq(5)}), 15 + 44 + 4),
    "mix": (ParallelMix({"a": eq(), "b": LowShelf(), "c": eq(40)}), 39),
    "nested": (
        ParallelMix({"a": SerialChain({"b": DryWet(eq(), external_param=False), "c": eq()}), "d": LowShelf()}),
        30,
    ),
    "bands": (MultiBand(Limiter(lookahead_ms=1.0), 3), 44),
    "keyed bands": (MultiBand(Compressor(style="desk", sample_rate=44100, sidechain=True), 2), 0),
    "watched": (GainStagingRegularization(eq()), 15),
    "own stream": (SerialChain({"a": Previous(), "b": DryWet(Previous(), external_param=False)}), 0),
}


def random_raw(sizes, batch, generator):
    return {
        name: random_raw(size, batch, generator)
        if isinstance(size, dict)
        else torch.randn(batch, *((size,) if isinstance(size, int) else size), generator=generator).double()
        for name, size in sizes.items()
    }


@pytest.mark.parametrize("name", CONTAINERS)
@torch.no_grad()
def test_containers_keep_their_members_in_time(name):
    processor, latency = CONTAINERS[name]
    assert processor.latency_samples == latency and processor.causal == (latency == 0)
    generator = torch.Generator().manual_seed(0)
    raw = random_raw(processor.parameter_size(), 2, generator)
    inlets = [torch.randn(2, 2, LENGTH, generator=generator).double() for _ in getattr(processor, "inlets", "m")]
    inlets = [F.pad(x, (0, latency)) for x in inlets]
    whole = processor(*inlets, **raw)
    whole = whole[0] if isinstance(whole, tuple) else whole
    state, outputs = None, []
    for blocks in zip(*(x.split([1, 3, 700, 0, 500, LENGTH + latency - 1204], -1) for x in inlets), strict=True):
        y, state = processor.stream(*blocks, state=state, **raw)
        outputs.append(y)
    y, expected = torch.cat(outputs, -1)[..., latency:], whole[..., :LENGTH]
    assert (y - expected).norm() < 1e-9 * expected.norm()


def test_tails_add_up_in_a_row_and_the_longest_counts_side_by_side():
    generator = torch.Generator().manual_seed(0)
    reverb = STFTMaskedNoiseReverb(ir_len=400, n_fft=32, hop_length=16)
    members = {"a": reverb, "b": eq(16), "c": TanhDistortion()}
    for container, expected in ((SerialChain(members), 399 + 15), (ParallelMix(members), 399)):
        assert container.tail_samples(**random_raw(container.parameter_size(), 1, generator)) == expected
    wet = DryWet(reverb)
    raw = random_raw(wet.parameter_size(), 1, generator)
    assert wet.tail_samples(**raw, drywet_weight=torch.ones(1)) == 399
    bands = MultiBand(reverb, 2)
    raw = random_raw(bands.parameter_size(), 1, generator)
    assert bands.tail_samples(**raw) == 399 + bands.crossover.tail_samples(raw["log_freq"])


def test_what_needs_the_whole_signal_is_named():
    inner = SerialChain({"clip": TanhDistortion(remove_dc=True)})
    processor = ParallelMix({"clean": LowShelf(), "dirty": inner})
    assert processor.latency_samples is None and not processor.causal
    with pytest.raises(ParameterError, match=r"ParallelMix cannot .*: TanhDistortion \(its 'dirty.clip'\) needs the"):
        processor.stream(torch.zeros(1, 1, 8))

    class Untold(Processor):
        def parameter_size(self):
            return {}

        def forward(self, x):
            return x

    with pytest.raises(ParameterError, match=r"Untold cannot run block by block: .* does not declare its look-ahead"):
        Untold().stream(torch.zeros(1, 1, 8))


@torch.no_grad()
def test_streams_take_all_views_and_changing_parameters():
    compressor, x = Compressor(style="desk", sample_rate=44100), torch.randn(2, 2, 1000)
    first, state = compressor.stream(x[..., :400], dsp_params={"ratio": 8.0})
    torch.testing.assert_close(first, compressor(x[..., :400], dsp_params={"ratio": 8.0}))
    raw = compressor.dsp_to_raw({"ratio": 8.0}, 2, x)
    second, _ = compressor.stream(x[..., 400:], state=state, **raw)
    torch.testing.assert_close(second, compressor(x, **raw)[..., 400:])
    louder, _ = compressor.stream(x[..., 400:], state=state, dsp_params={"ratio": 8.0, "makeup_db": 6.0})
    torch.testing.assert_close(louder, second * 10 ** (6 / 20))


def test_gradients_flow_through_states():
    shelf, x = LowShelf(), torch.randn(1, 1, 60, dtype=torch.double, requires_grad=True)
    raw = {name: torch.zeros(1, 1, dtype=torch.double, requires_grad=True) for name in shelf.parameter_size()}
    raw["log_gain"].data.fill_(0.5)
    inputs = (x, *raw.values())
    expected = torch.autograd.grad(shelf(x, **raw).square().sum(), inputs)
    state, total = None, 0
    for block in x.split(7, -1):
        y, state = shelf.stream(block, state=state, **raw)
        total = total + y.square().sum()
    for got, wanted in zip(torch.autograd.grad(total, inputs), expected, strict=True):
        torch.testing.assert_close(got, wanted)


@torch.no_grad()
def test_noise_that_is_drawn_stays_the_same_in_a_stream():
    reverb = STFTMaskedNoiseReverb(ir_len=400, n_fft=32, hop_length=16, fixed_noise=False)
    raw = random_raw(reverb.parameter_size(), 1, torch.Generator().manual_seed(0))
    impulse = torch.zeros(1, 2, 800, dtype=torch.double)
    impulse[..., [0, 400]] = 1
    state, outputs = None, []
    for block in impulse.split(100, -1):
        y, state = reverb.stream(block, state=state, **raw)
        outputs.append(y)
    first, second = torch.cat(outputs, -1).split(400, -1)
    torch.testing.assert_close(first, second)


def test_a_state_of_another_processor_is_refused():
    _, state = Compressor(style="desk", sample_rate=44100).stream(torch.zeros(1, 1, 8), dsp_params={})
    with pytest.raises(
        ParameterError,
        match="SerialChain cannot go on from this state: it is that of a Compressor, not of a SerialChain",
    ):
        SerialChain({"a": Compressor(style="desk", sample_rate=44100), "b": LowShelf()}).stream(
            torch.zeros(1, 1, 8), state=state, dsp_params={}
        )


STATEFUL = [LadderFilter, HaasEnhancer, DeEsser, FeedbackDelay]


@pytest.mark.parametrize("state", [5, "state", (torch.zeros(3), ()), ((torch.zeros(2, 2), None),)])
@pytest.mark.parametrize("kind", STATEFUL)
def test_what_is_no_state_is_refused(kind, state):
    with pytest.raises(ParameterError, match="state"):
        kind().stream(torch.zeros(3, 2, 8), state=state, dsp_params={})


@pytest.mark.parametrize("kind, other", list(permutations(STATEFUL, 2)))
def test_a_state_is_refused_whatever_it_holds(kind, other):
    x = torch.zeros(3, 2, 8)
    _, state = other().stream(x, dsp_params={})
    with pytest.raises(ParameterError, match="state"):
        kind().stream(x, state=state, dsp_params={})


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("kind", STATEFUL)
def test_a_state_of_another_number_of_signals_is_refused(kind, batch):
    _, state = kind().stream(torch.zeros(3, 2, 8), dsp_params={})
    with pytest.raises(ParameterError):
        kind().stream(torch.zeros(batch, 2, 8), state=state, dsp_params={})


@pytest.mark.parametrize("kind", STATEFUL)
def test_a_state_of_another_precision_is_converted(kind):
    x = torch.linspace(-1, 1, 200, dtype=torch.float64).expand(1, 2, -1)
    first, second = x.split(100, -1)
    _, state = kind().stream(first, dsp_params={})
    y, _ = kind().stream(second.float(), state=state, dsp_params={})
    expected, _ = kind().stream(second, state=state, dsp_params={})
    torch.testing.assert_close(y, expected.float(), rtol=1e-3, atol=1e-5)


def test_a_mistake_beside_a_state_that_fits_is_reported_itself():
    _, state = LadderFilter().stream(torch.zeros(1, 2, 8), dsp_params={})
    with pytest.raises(TypeError, match="cutoff"):
        LadderFilter().stream(torch.zeros(1, 2, 8), state=state, cutoff=torch.zeros(1, 1))
