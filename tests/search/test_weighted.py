import pytest
import torch
from grafx.processors import (
    Amplifier,
    Compressor,
    DelayLine,
    DryWet,
    DynamicEqualizer,
    HardClip,
    LinkwitzRileyCrossover,
    PinkNoise,
    SideGainImager,
    StereoGain,
    TransientShaper,
)

from grafx.search import SearchError
from grafx.search.mixing.mixer import WEIGHT
from grafx.search.mixing.weighted import SendGain, inner, is_gain, passes_dry, weighted

X, KEY = 0.1 * torch.randn(2, 3, 2, 4000, generator=torch.Generator().manual_seed(0))
WEIGHTS = torch.tensor([0.0, 0.25, 1.0])
KEYED = {
    "compressor": Compressor(style="desk", sidechain=True, sample_rate=44100),
    "transients": TransientShaper(sidechain=True),
    "eq": DynamicEqualizer(sidechain=True),
    "amplifier": Amplifier(),
    "delay": DelayLine(),
}


@pytest.mark.parametrize("name", KEYED)
def test_the_dry_signal_of_several_inlets_is_the_first(name):
    processor, mixed = KEYED[name], weighted(KEYED)[name]
    assert tuple(mixed.inlets) == tuple(processor.inlets)
    raw = {name: value + 0.3 for name, value in processor.dsp_to_raw({}, 3).items()}
    wet = processor(X, KEY, **raw)
    wet = wet[0] if isinstance(wet, tuple) else wet
    y = mixed(X, KEY, **raw, drywet_weight=WEIGHTS)
    y = y[0] if isinstance(y, tuple) else y
    weights = WEIGHTS[:, None, None]
    assert torch.allclose(y, (1 - weights) * X + weights * wet, atol=1e-6)
    assert torch.equal(y[0], X[0]) and not torch.allclose(y[2], X[2], atol=1e-3)
    state, blocks = None, []
    for x, key in zip(X.split(900, -1), KEY.split(900, -1), strict=True):
        block, state = mixed.stream(x, key, state=state, **raw, drywet_weight=WEIGHTS)
        blocks.append(block)
    assert torch.allclose(torch.cat(blocks, -1), y, atol=1e-5)


def test_a_send_has_no_dry_part():
    send = weighted({"send": SendGain()})["send"]
    log_gain = torch.tensor([[0.1, -0.3]]).repeat(3, 1).requires_grad_()
    weights = WEIGHTS.clone().requires_grad_()
    y = send(X, log_gain=log_gain, drywet_weight=weights)
    assert torch.allclose(y, WEIGHTS[:, None, None] * log_gain.exp()[..., None] * X)
    assert not y[0].any()
    y.square().sum().backward()
    assert log_gain.grad[1:].all() and weights.grad[1:].all()


def test_what_a_class_says_decides_and_not_its_name():
    class Cut(HardClip):
        dry = False

    made = weighted({"gain": Cut(), "send": HardClip(), "other": StereoGain(), "bus": SendGain()})
    assert [passes_dry(p) for p in made.values()] == [False, True, True, False]
    assert [is_gain(p) for p in made.values()] == [False, False, True, True]
    assert [type(inner(p)) for p in made.values()] == [Cut, HardClip, StereoGain, SendGain]
    assert all(WEIGHT in p.external_parameters() for p in made.values())


def test_what_takes_a_weight_stays_as_it_is():
    own = {"a": DryWet(SideGainImager())}
    assert weighted(own)["a"] is own["a"]
    assert weighted(weighted({"b": SendGain()}))["b"].processor.dry is False


@pytest.mark.parametrize("processor", [PinkNoise(), LinkwitzRileyCrossover()])
def test_without_a_dry_signal_to_mix_with_there_is_no_weight(processor):
    with pytest.raises(SearchError, match=r"'own', a \w+, has \d inlet\(s\) and \d outlet"):
        weighted({"own": processor})
