import copy

import pytest
import torch
from grafx.processors.core import recent as module
from grafx.processors.core.constants import Constants
from grafx.processors.core.recent import recent
from torch import nn

from grafx import processors

RESPONDING = {
    "MultitapDelay": {"segment_len": 300, "num_segments": 2},
    "STFTMaskedNoiseReverb": {"ir_len": 3000},
    "FilteredNoiseShapingReverb": {"ir_len": 3000, "noise_randomness": "fixed"},
    "ZeroPhaseFIREqualizer": {"num_magnitude_bins": 64},
    "FIRFilter": {"fir_len": 63},
}


@pytest.fixture(autouse=True)
def forgetful(monkeypatch):
    monkeypatch.setattr(module, "_entries", [])


class Counted(Constants):
    def __init__(self):
        super().__init__()
        self.calls, self.factor = [], 2.0
        self.register_constant("constant", torch.ones(3))
        self.inner = nn.Module()
        self.inner.option = "a"
        self.weight = nn.Parameter(torch.ones(3), requires_grad=False)

    def response(self, a, b=None):
        self.calls.append(1)
        return self.factor * a * self.constant * self.weight, (a.sum() if b is None else b.sum(),)


def count(owner, *tensors):
    before = len(owner.calls)
    result = recent(owner.response, *tensors)
    expected = Counted.response(copy.deepcopy(owner), *tensors)
    torch.testing.assert_close(result, expected)
    return len(owner.calls) - before


def test_computed_anew_only_when_something_changes():
    owner, a, b = Counted(), torch.rand(3), torch.rand(2)
    assert [count(owner, a), count(owner, a), count(owner, a.clone())] == [1, 0, 0]
    assert [count(owner, a, b), count(owner, a, b), count(owner, a, None)] == [1, 0, 1]
    changes = {
        "in place": lambda: a.add_(1),
        "by data": lambda: a.data.mul_(2),
        "by numpy": lambda: a.numpy().__setitem__(0, 7),
        "an option": lambda: setattr(owner, "factor", 3.0),
        "an option of a part": lambda: setattr(owner.inner, "option", "b"),
        "a buffer in place": lambda: owner.constant.mul_(2),
        "another buffer": lambda: owner._buffers.update(constant=torch.rand(3)),
        "a parameter": lambda: owner.weight.mul_(2),
    }
    for what, change in changes.items():
        count(owner, a)
        with torch.no_grad():
            change()
        assert count(owner, a) == 1, what
        assert count(owner, a) == 0, what
    assert count(Counted(), a) == 1
    assert count(copy.deepcopy(owner), a) == 1


def test_gradients_are_not_kept():
    owner, a = Counted(), torch.rand(3, requires_grad=True)
    for _ in range(2):
        assert count(owner, a) == 1
        recent(owner.response, a)[0].sum().backward()
    with torch.no_grad():
        assert [count(owner, a), count(owner, a)] == [1, 0]
    assert recent(owner.response, a)[0].requires_grad
    owner.weight.requires_grad_()
    assert [count(owner, a.detach() + 1), count(owner, a.detach() + 1)] == [1, 1]


def test_what_inference_made_stays_there():
    owner, a = Counted(), torch.rand(3)
    with torch.inference_mode():
        assert count(owner, a) == 1
    result, _ = recent(owner.response, a)
    x = torch.ones(3, requires_grad=True)
    (result * x).sum().backward()
    torch.testing.assert_close(x.grad, result)


def test_bounded(monkeypatch):
    monkeypatch.setattr(module, "MOST_KEPT", 100)
    owner, tensors = Counted(), [torch.rand(3) for _ in range(10)]
    for tensor in tensors:
        count(owner, tensor)
        assert sum(entry.size for entry in module._entries) <= 100
    assert [count(owner, tensors[-1]), count(owner, tensors[0])] == [0, 1]
    del owner
    count(Counted(), tensors[0])
    assert len(module._entries) <= 1


@pytest.mark.parametrize("name", RESPONDING)
def test_processors_follow_changes_in_place(name, rng):
    processor = getattr(processors, name)(**RESPONDING[name])
    sizes = processor.parameter_size()
    shapes = {key: (2, *((size,) if isinstance(size, int) else size)) for key, size in sizes.items()}
    raw = {key: torch.tensor(rng.normal(size=shape), dtype=torch.float32) for key, shape in shapes.items()}
    x = torch.tensor(rng.normal(size=(2, 2, 2000)), dtype=torch.float32)

    def run():
        result = processor(x, **raw)
        return result[0] if isinstance(result, tuple) else result

    first = run()
    torch.testing.assert_close(run(), first, rtol=0, atol=0)
    for value in raw.values():
        value.data.mul_(0.5)
    changed = run()
    module._entries.clear()
    torch.testing.assert_close(run(), changed, rtol=0, atol=0)
    assert not torch.equal(first, changed)


def test_noise_that_is_drawn_anew_stays_so():
    raw = {"init_log_magnitude": torch.zeros(1, 2, 193), "delta_log_magnitude": torch.zeros(1, 2, 193)}
    reverb = processors.STFTMaskedNoiseReverb(ir_len=3000, fixed_noise=False)
    x = torch.ones(1, 2, 500)
    assert not torch.equal(reverb(x, **raw), reverb(x, **raw))
    raw = {
        name: torch.zeros(1, *size) for name, size in processors.FilteredNoiseShapingReverb().parameter_size().items()
    }
    for randomness in ("random", "pseudo-random"):
        reverb = processors.FilteredNoiseShapingReverb(ir_len=3000, noise_randomness=randomness)
        assert not torch.equal(reverb(x, **raw), reverb(x, **raw))
