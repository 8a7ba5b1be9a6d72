"""States of streams: whose they are, what they are made of, and who takes them."""

import copy
import io
import math
import pickle
from collections.abc import Mapping

import numpy as np
import pytest
import torch
import torch.nn as nn
from grafx.processors import (
    Compressor,
    ConvolutionReverb,
    DryWet,
    FIRFilter,
    HighPassFilter,
    LadderFilter,
    LowPassFilter,
    LowShelf,
    MultiBand,
    Panner,
    ParallelMix,
    SerialChain,
    TanhDistortion,
    ZeroPhaseFIREqualizer,
)
from grafx.processors.base import ParameterError, Processor, run
from grafx.processors.core.streaming import with_past

from .test_all import CLASSES, REGISTRY, arguments, call, leaves, make
from .test_stream import Previous


def streams(processor):
    return processor.latency_samples is not None


def first_block(processor, channels, length=16, state=None, dtype=torch.float64):
    inlets, parameters = arguments(processor, 0.3, 2, channels, length, dtype)
    number = {} if inlets else {"num_samples": length}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return processor.stream(*inlets, state=state, **number, **parameters)


def reason(refusal):
    return str(refusal.value).split("cannot go on from this state: ")[1]


FIRST = {name: make(name, REGISTRY[name][0].options) for name in CLASSES if name in REGISTRY}
FIRST = {name: processor for name, processor in FIRST.items() if streams(processor)}


def channels(name):
    return max(REGISTRY[name][0].channels)


@torch.no_grad()
def test_a_state_is_taken_by_no_other_class(monkeypatch):
    states = {name: first_block(processor, channels(name))[1] for name, processor in FIRST.items()}
    for processor in FIRST.values():
        monkeypatch.setattr(processor, "forward", None)  # a state is refused before any work
    for name, processor in FIRST.items():
        inlets, parameters = arguments(processor, 0.3, 2, channels(name), 16, torch.float64)
        number = {} if inlets else {"num_samples": 16}
        for other in states.keys() - {name}:
            with pytest.raises(ParameterError, match=f"^{name} cannot go on from this state: it is that of a {other},"):
                processor.stream(*inlets, state=states[other], **number, **parameters)


@torch.no_grad()
def test_a_state_is_taken_by_no_other_options(monkeypatch):
    for name in FIRST:
        made = [make(name, c.options) for c in REGISTRY[name] if max(c.channels) == channels(name)]
        made = [processor for processor in made if streams(processor)]
        states = [first_block(processor, channels(name))[1] for processor in made[:2]]
        for processor in made:
            with monkeypatch.context() as context:
                context.setattr(processor, "forward", None)
                for other, state in zip(made, states, strict=False):
                    if other is not processor:
                        with pytest.raises(ParameterError, match=f"^{name} cannot go on from this state: its "):
                            first_block(processor, channels(name), state=state)


@torch.no_grad()
def test_what_a_twin_left_is_taken_and_gives_what_the_whole_signal_does():
    for name, processor in FIRST.items():
        twin = make(name, REGISTRY[name][0].options)
        if processor.latency_samples or REGISTRY[name][0].draws:
            continue
        inlets, parameters = arguments(processor, 0.3, 2, channels(name), 60, torch.float64)
        whole, _ = call(processor, inlets, parameters, 60)
        blocks = [x.split(30, -1) for x in inlets]
        number = {} if inlets else {"num_samples": 30}
        _, state = processor.stream(*(block[0] for block in blocks), **number, **parameters)
        y, _ = twin.stream(*(block[1] for block in blocks), state=state, **number, **parameters)
        for found, expected in zip(y if isinstance(y, tuple) else (y,), whole, strict=True):
            torch.testing.assert_close(found, expected[..., 30:], rtol=1e-5, atol=1e-7)


def is_plain(value):
    if isinstance(value, dict):
        return all(isinstance(name, str) and is_plain(part) for name, part in value.items())
    if type(value) is tuple:
        return all(map(is_plain, value))
    return value is None or type(value) in (bool, int, float, str, torch.Tensor)


@torch.no_grad()
def test_states_are_plain_and_name_what_they_hold():
    for name, processor in FIRST.items():
        _, state = first_block(processor, channels(name))
        assert [*state] == ["class", "options", "sizes", "rows", "signals", "memory"]
        assert state["class"].endswith(f".{name}") and {*state["sizes"]} == {*processor.parameter_size()}
        assert {*REGISTRY[name][0].options} <= {*state["options"]}
        assert is_plain(state), name
        assert all("state" not in entry for entry in state["memory"]), "an entry without a name of its own"


class Plain(nn.Module):
    def parameter_size(self):
        return {}

    def stream(self, x, state=None):
        return x, state

    forward = stream


VARIANTS = {
    "another rate": (LowShelf(sample_rate=44100), LowShelf(sample_rate=48000), "its sample_rate is 48000, not 44"),
    "another word": (Panner("balance"), Panner(), "its law is 'constant_power', not 'balance'"),
    "another size": (LowShelf(2), LowShelf(3), "its num_filters is 3, not 2"),
    "another range": (
        LowShelf(param_range={"gain_db": (-3, 3)}),
        LowShelf(),
        r"its param_range is None, not \{'gain_db': \(-3, 3\)\}",
    ),
    "handed on": (LowShelf(flashfftconv=False), LowShelf(), "its flashfftconv is <left out>, not False"),
    "another class": (LowPassFilter(), HighPassFilter(), "it is that of a HighPassFilter, not of a LowPassFilter"),
    "another response": (
        ConvolutionReverb(torch.eye(1, 50)),
        ConvolutionReverb(torch.eye(2, 50)[1:]),
        "its ir is <float32 1 × 50 .*>, not <float32 1 × 50",
    ),
    "another member": (
        SerialChain({"a": LowShelf(), "b": LowPassFilter()}),
        SerialChain({"a": LowShelf(), "b": HighPassFilter()}),
        r"processors\.b is that of a HighPassFilter, not of a LowPassFilter",
    ),
    "another option of a member": (
        ParallelMix({"a": SerialChain({"b": LadderFilter()})}),
        ParallelMix({"a": SerialChain({"b": LadderFilter(saturate=True)})}),
        r"its processors\.a\.processors\.b\.saturate is True, not False",
    ),
    "another order of members": (
        SerialChain({"a": LowShelf(), "b": LowPassFilter()}),
        SerialChain({"b": LowPassFilter(), "a": LowShelf()}),
        r"its processors is \('b', 'a'\), not \('a', 'b'\)",
    ),
    "another module": (
        DryWet(Previous(), False),
        DryWet(Plain(), False),
        "processor is that of a Plain, not of a Prev",
    ),
    "another number of bands": (MultiBand(LowShelf(), 2), MultiBand(LowShelf(), 3), "its num_bands is 3, not 2"),
}


@pytest.mark.parametrize("kind", VARIANTS)
@torch.no_grad()
def test_states_of_others_are_refused_by_name(kind):
    own, other, match = VARIANTS[kind]
    (_, there), (_, here) = (first_block(processor, 2) for processor in (other, own))
    with pytest.raises(ParameterError, match=rf"^{type(own).__name__} cannot go on from this state: {match}"):
        first_block(own, 2, state=there)
    with pytest.raises(ParameterError, match="cannot go on from this state"):
        first_block(other, 2, state=here)
    first_block(own, 2, state=here)


@torch.no_grad()
def test_the_same_options_written_otherwise_are_the_same():
    pairs = [
        (LowShelf(), LowShelf(1)),
        (LowShelf(), LowShelf(num_filters=1, sample_rate=44100.0)),
        (LadderFilter(), LadderFilter(saturate=False)),
        (
            Compressor(style="desk", param_range={"ratio": (2, 3), "makeup_db": [0, 1]}),
            Compressor(style="desk", param_range={"makeup_db": (0, 1), "ratio": (2.0, 3.0)}),
        ),
        (SerialChain({"a": LowShelf()}), SerialChain({"a": LowShelf(1)})),
    ]
    for one, other in pairs:
        for twin in (other, copy.deepcopy(one), pickle.loads(pickle.dumps(other)), copy.copy(one)):
            first_block(twin, 2, state=first_block(one, 2)[1])


@torch.no_grad()
def test_containers_name_their_members():
    chain = SerialChain({"a": LowShelf(), "b": ParallelMix({"c": LadderFilter(), "d": TanhDistortion()})})
    _, state = first_block(chain, 2)
    assert [*state["memory"]] == ["a", "b"] and [*state["memory"]["b"]] == ["c", "d"]
    assert [*state["memory"]["b"]["c"]] == ["computed once", "computed once 2", "sections"] and state["memory"]["b"][
        "d"
    ] == {}
    assert state["options"]["processors"]["b"]["options"]["processors"]["c"]["class"].endswith(".LadderFilter")
    _, state = first_block(MultiBand(LowShelf(), 2), 2)
    assert [*state["memory"]] == ["crossover", "band0", "band1"]


def moved(value, change):
    if isinstance(value, Mapping):
        return {name: moved(part, change) for name, part in value.items()}
    if isinstance(value, tuple):
        return tuple(moved(part, change) for part in value)
    return change(value) if isinstance(value, torch.Tensor) else value


@torch.no_grad()
def test_states_can_be_saved_copied_and_moved():
    chain = SerialChain({"a": LowShelf(), "b": FIRFilter(fir_len=5), "c": ZeroPhaseFIREqualizer(4)})
    _, state = first_block(chain, 2)
    expected, _ = first_block(chain, 2, state=state)
    file = io.BytesIO()
    torch.save(state, file)
    saved = torch.load(io.BytesIO(file.getvalue()), weights_only=True)
    for other in (saved, copy.deepcopy(state), moved(state, torch.Tensor.clone), pickle.loads(pickle.dumps(state))):
        assert torch.equal(first_block(chain, 2, state=other)[0], expected)


def without(state, name):
    return {key: value for key, value in state.items() if key != name}


@torch.no_grad()
def test_what_is_no_state_is_refused_before_any_work(monkeypatch):
    processor = LadderFilter()
    _, state = first_block(processor, 2)
    others = [
        5,
        "state",
        (),
        {},
        [1],
        torch.zeros(2),
        *(without(state, name) for name in state),
        {**state, "more": 1},
        {**state, "memory": ()},
        {**state, "class": torch.zeros(3)},
        {**state, "options": {"num_filters": torch.zeros(3)}},
        {**state, "sizes": 3},
        {**state, "rows": "two"},
        {**state, "signals": {"main": (2, torch.zeros(2))}},
    ]
    monkeypatch.setattr(processor, "forward", None)
    for other in others:
        with pytest.raises(ParameterError, match="LadderFilter cannot go on from this state: "):
            first_block(processor, 2, state=other)
    monkeypatch.undo()
    with pytest.raises(ParameterError, match="has no 'computed once', which is remembered here, but other"):
        first_block(processor, 2, state={**state, "memory": {"other": 1}})


class Faulty(Processor):
    """Counts how often it runs, and fails."""

    latency_samples = 0
    fault: Exception | None = None
    runs = 0

    def parameter_size(self):
        return {}

    def forward(self, x):
        self.runs += 1
        if self.fault:
            raise self.fault
        return x


@pytest.mark.parametrize(
    "fault", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("bug"), IndexError("bug"), TypeError("bug")]
)
def test_errors_that_are_not_the_users_pass_through_after_one_run(fault):
    for processor in (Faulty(), SerialChain({"a": Faulty()})):
        faulty = processor if isinstance(processor, Faulty) else processor.processors["a"]
        x = torch.zeros(1, 1, 4)
        _, state = processor.stream(x)
        faulty.fault, faulty.runs = fault, 0
        with pytest.raises(type(fault)) as raised:
            processor.stream(x, state=state)
        assert raised.value is fault and faulty.runs == 1


def test_processors_without_a_memory_take_other_signals():
    processor = TanhDistortion()
    raw = {
        name: torch.zeros(1, size if isinstance(size, int) else 1) for name, size in leaves(processor.parameter_size())
    }
    _, state = processor.stream(torch.zeros(1, 2, 8), **raw)
    _, state = processor.stream(torch.zeros(3, 1, 8), state=state, **raw)
    assert state["signals"] == {"main": (3, 1)}


class OwnOrder(Processor):
    """Sets attributes before the constructor of its base runs, calls that late, and hands on what it does not know."""

    latency_samples = 0

    def __init__(self, member, *taps, gain=1.0, **more):
        taps = [*taps, gain]
        super().__init__(**more)
        self.taps, self.member = taps, member

    def parameter_size(self):
        return self.member.parameter_size()

    def forward(self, x, **raw):
        return self.taps[-1] * run(self.member, x, **raw)


@torch.no_grad()
def test_classes_of_users_are_told_apart_too():
    makers = [
        lambda: OwnOrder(LowShelf()),
        lambda: OwnOrder(LowShelf(), gain=2.0),
        lambda: OwnOrder(LowShelf(), 1, 2),
        lambda: OwnOrder(LowShelf(), sample_rate=8000),
        lambda: OwnOrder(LowShelf(sample_rate=8000)),
        lambda: OwnOrder(Previous()),
        lambda: SerialChain({"a": OwnOrder(LowShelf())}),
    ]
    states = [first_block(maker(), 2)[1] for maker in makers]
    for i, maker in enumerate(makers):
        for j, state in enumerate(states):
            if i == j:
                first_block(maker(), 2, state=state)
                continue
            with pytest.raises(ParameterError, match="cannot go on from this state"):
                first_block(maker(), 2, state=state)


class Weighted(nn.Module):
    """A module of another base, whose only difference is the size of a weight."""

    latency_samples = 0

    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def parameter_size(self):
        return {"gain": 1}

    def forward(self, x, gain):
        return x * gain[:, :, None]

    def stream(self, x, state=None, **parameters):
        return self(x, **parameters), state or {}


def test_modules_of_another_base_are_told_apart_by_their_weights():
    x, gain = torch.randn(1, 1, 9), {"inner": {"gain": torch.ones(1, 1)}}
    first, second = (SerialChain({"inner": Weighted(size)}) for size in (4, 8))
    _, state = first.stream(x, **gain)
    first.stream(x, state=state, **gain)
    with pytest.raises(ParameterError, match=r"cannot go on from this state: its processors\.inner\.weight is"):
        second.stream(x, state=state, **gain)


@pytest.mark.parametrize(
    "option",
    [
        np.arange(4.0)[::-1],
        np.zeros(2, ">f4"),
        np.array(["a"]),
        np.array([object()]),
        torch.eye(3).to_sparse(),
        torch.empty(3, device="meta"),
        torch.eye(3).T[:, ::2],
        math.nan,
    ],
    ids=["reversed", "big-endian", "text", "objects", "sparse", "meta", "strided", "nan"],
)
def test_any_option_can_be_described(option):
    class Optional(Processor):
        latency_samples = 0

        def __init__(self, option):
            super().__init__()

        def parameter_size(self):
            return {}

        def forward(self, x):
            return with_past(x, 2)[..., :-2]

    processor, x = Optional(option), torch.randn(1, 1, 9)
    assert repr(processor).startswith("Optional(")
    y, state = processor.stream(x)
    assert processor.stream(x, state=state)[0].shape == y.shape
    with pytest.raises(ParameterError, match=r"cannot go on from this state: its option is"):
        Optional("another").stream(x, state=state)


@pytest.mark.parametrize("wrap", [lambda p: SerialChain({"a": p}), lambda p: ParallelMix({"a": p}), DryWet])
def test_members_with_several_inlets_are_refused_at_once(wrap):
    with pytest.raises(ParameterError, match=r"wraps processors with one inlet; Compressor has main, sidechain"):
        wrap(Compressor(sidechain=True))


def test_members_without_stream_are_named():
    class Plain(nn.Module):
        latency_samples = 0

        def parameter_size(self):
            return {"gain": 1}

        def forward(self, x, gain):
            return x * gain[:, :, None]

    with pytest.raises(ParameterError, match=r"Plain \(its 'inner'\) has no method stream"):
        SerialChain({"inner": Plain()}).stream(torch.randn(1, 1, 9), inner={"gain": torch.ones(1, 1)})
