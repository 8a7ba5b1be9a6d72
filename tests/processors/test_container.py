import math

import pytest
import torch
from grafx.processors.base import ParameterError, Processor
from grafx.processors.container.mixing import DryWet, GainStagingRegularization, ParallelMix, SerialChain
from torch.autograd import gradcheck


class Gain(Processor):
    """Multiplies by ``gain`` (B, 1), and spreads to ``channels``."""

    def __init__(self, channels=1):
        super().__init__()
        self.channels = channels

    def parameter_size(self):
        return {"gain": 1}

    def forward(self, input_signals, gain):
        return input_signals * gain[..., None].expand(-1, self.channels, -1)


class Offset(Processor):
    """Adds ``offset`` (B, 1) and reports it."""

    def parameter_size(self):
        return {"offset": 1}

    def forward(self, input_signals, offset):
        return input_signals + offset[..., None], {"offset_reg": offset.sum()}


class Identity(Processor):
    def parameter_size(self):
        return {}

    def forward(self, input_signals):
        return input_signals


class Splitter(Identity):
    def forward(self, input_signals):
        return input_signals, input_signals


class Generator(Identity):
    def forward(self, num_samples):
        return torch.zeros(1, 1, num_samples)


@pytest.fixture
def x(rng):
    return torch.tensor(rng.normal(size=(3, 2, 20)))


def column(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None]


GAIN, OFFSET, WEIGHT = column(2.0, 3.0, 4.0), column(0.5, -1.0, 0.0), column(0.0, 1.0, 0.25)


@pytest.mark.parametrize("external", [True, False])
def test_dry_wet_mixes_by_its_weight(x, external):
    processor = DryWet(Gain(), external_param=external)
    assert processor.parameter_size() == {"gain": 1} | ({} if external else {"drywet_weight": (1,)})
    expected = WEIGHT[..., None] * (x * GAIN[..., None]) + (1 - WEIGHT[..., None]) * x
    for weight in (WEIGHT, WEIGHT[:, 0]):
        torch.testing.assert_close(processor(x, drywet_weight=weight, gain=GAIN), expected)
    torch.testing.assert_close(processor(x, drywet_weight=torch.tensor(0.5), gain=GAIN), (x * GAIN[..., None] + x) / 2)


def test_dry_wet_is_exact_at_both_ends(x):
    processor = DryWet(Gain())
    assert torch.equal(processor(x, drywet_weight=torch.zeros(3), gain=GAIN), x)
    assert torch.equal(processor(x, drywet_weight=torch.ones(3), gain=GAIN), x * GAIN[..., None])


def test_a_mono_dry_signal_spreads_over_a_stereo_wet_one(x):
    y = DryWet(Gain(channels=2))(x[:, :1], drywet_weight=WEIGHT, gain=GAIN)
    torch.testing.assert_close(y, (x[:, :1] * (1 + WEIGHT * (GAIN - 1))[..., None]).expand(3, 2, 20))


def test_serial_chain_applies_in_order_and_nests(x):
    chain = SerialChain({"gain": Gain(), "offset": Offset(), "again": Gain()})
    assert chain.parameter_size() == {"gain": {"gain": 1}, "offset": {"offset": 1}, "again": {"gain": 1}}
    y, intermediates = chain(x, gain={"gain": GAIN}, offset={"offset": OFFSET}, again={"gain": GAIN})
    torch.testing.assert_close(y, (x * GAIN[..., None] + OFFSET[..., None]) * GAIN[..., None])
    assert intermediates == {"offset": {"offset_reg": OFFSET.sum()}}


def test_a_chain_without_intermediates_returns_a_tensor(x):
    y = SerialChain({"none": Identity(), "gain": Gain()})(x, gain={"gain": GAIN})
    torch.testing.assert_close(y, x * GAIN[..., None])


def test_parameters_may_be_a_parameter_dict(x):
    parameters = torch.nn.ParameterDict({"gain": torch.nn.ParameterDict({"gain": GAIN})})
    torch.testing.assert_close(SerialChain({"gain": Gain()})(x, **parameters), x * GAIN[..., None])


@pytest.mark.parametrize("activation", ["softmax", "softplus"])
def test_parallel_mix_weighs_its_processors(rng, x, activation):
    mix = ParallelMix({"gain": Gain(), "dry": Identity(), "offset": Offset()}, activation=activation)
    assert mix.parameter_size() == {
        "gain": {"gain": 1},
        "dry": {},
        "offset": {"offset": 1},
        "parallel_weights": 3,
    }
    weights = torch.tensor(rng.normal(size=(3, 3)))
    y, intermediates = mix(x, parallel_weights=weights, gain={"gain": GAIN}, offset={"offset": OFFSET})
    outputs = torch.stack([x * GAIN[..., None], x, x + OFFSET[..., None]], 1)
    exponentials = weights.exp()
    if activation == "softmax":
        gains = exponentials / exponentials.sum(1, keepdim=True)
    else:
        gains = (1 + exponentials).log() / (3 * math.log(2))
    torch.testing.assert_close(y, torch.einsum("bk,bkcl->bcl", gains, outputs))
    assert set(intermediates) == {"offset"}


@pytest.mark.parametrize("activation", ["softmax", "softplus"])
def test_parallel_mix_averages_at_zero(x, activation):
    mix = ParallelMix({"a": Identity(), "b": Identity()}, activation=activation)
    torch.testing.assert_close(mix(x, parallel_weights=torch.zeros(3, 2).double()), x)


def test_gain_staging_reports_the_change_in_loudness(x):
    y, intermediates = GainStagingRegularization(Gain())(x, gain=GAIN)
    torch.testing.assert_close(y, x * GAIN[..., None])
    expected = (2 * GAIN.log()).sum()
    torch.testing.assert_close(intermediates["gain_reg"], expected, rtol=1e-5, atol=0)
    _, renamed = GainStagingRegularization(Offset(), key="loudness")(x, offset=OFFSET)
    assert set(renamed) == {"offset_reg", "loudness"}


def test_wrappers_pass_intermediates_on_flat(x):
    y, intermediates = DryWet(GainStagingRegularization(Offset()))(x, drywet_weight=WEIGHT, offset=OFFSET)
    torch.testing.assert_close(y, x + (WEIGHT * OFFSET)[..., None])
    assert set(intermediates) == {"offset_reg", "gain_reg"}


def test_a_weight_from_outside_reaches_every_dry_wet_in_a_chain(x):
    chain = SerialChain({"a": DryWet(Gain()), "plain": Gain(), "b": DryWet(GainStagingRegularization(Gain()))})
    assert chain.external_parameters() == {"drywet_weight"}
    p = {"gain": GAIN}
    y, intermediates = chain(x, drywet_weight=WEIGHT, a=p, plain=p, b=p)
    mixed = 1 + WEIGHT * (GAIN - 1)
    torch.testing.assert_close(y, x * (mixed * GAIN * mixed)[..., None])
    assert set(intermediates) == {"b"} and set(intermediates["b"]) == {"gain_reg"}


def test_a_weight_from_outside_serves_nested_dry_wets_alike(x):
    processor = DryWet(SerialChain({"a": DryWet(Gain())}))
    y = processor(x, drywet_weight=WEIGHT, a={"gain": GAIN})
    torch.testing.assert_close(y, x * (1 + WEIGHT**2 * (GAIN - 1))[..., None])


def test_a_weight_of_an_inner_dry_wet_may_be_its_own(x):
    processor = DryWet(SerialChain({"a": DryWet(Gain(), external_param=False)}))
    y = processor(x, drywet_weight=WEIGHT, a={"gain": GAIN, "drywet_weight": torch.full((3, 1), 0.5)})
    torch.testing.assert_close(y, x * (1 + WEIGHT * (GAIN - 1) / 2)[..., None])


def test_a_member_may_be_given_its_own_weight(x):
    chain = SerialChain({"a": DryWet(Gain()), "b": DryWet(Gain())})
    y = chain(x, drywet_weight=WEIGHT, a={"gain": GAIN, "drywet_weight": torch.zeros(3)}, b={"gain": GAIN})
    torch.testing.assert_close(y, x * (1 + WEIGHT * (GAIN - 1))[..., None])


def test_three_levels_deep(x):
    inner = SerialChain({"gain": Gain(), "offset": Offset()})
    mix = ParallelMix({"chain": GainStagingRegularization(inner), "dry": DryWet(Gain(), external_param=False)})
    outer = DryWet(SerialChain({"mix": mix, "last": Gain()}))
    assert outer.parameter_size() == {
        "mix": {
            "chain": {"gain": {"gain": 1}, "offset": {"offset": 1}},
            "dry": {"gain": 1, "drywet_weight": (1,)},
            "parallel_weights": 2,
        },
        "last": {"gain": 1},
    }
    y, intermediates = outer(
        x,
        drywet_weight=WEIGHT,
        mix={
            "chain": {"gain": {"gain": GAIN}, "offset": {"offset": OFFSET}},
            "dry": {"gain": GAIN, "drywet_weight": torch.ones(3, 1)},
            "parallel_weights": torch.zeros(3, 2).double(),
        },
        last={"gain": GAIN},
    )
    gain, offset, weight = GAIN[..., None], OFFSET[..., None], WEIGHT[..., None]
    wet = (x * gain + offset / 2) * gain
    torch.testing.assert_close(y, weight * wet + (1 - weight) * x)
    assert set(intermediates["mix"]["chain"]) == {"offset", "gain_reg"}


def test_gradients(rng):
    u = torch.tensor(rng.normal(size=(2, 1, 6)), requires_grad=True)
    gain, offset, weight, mix = (torch.tensor(rng.normal(size=(2, n)), requires_grad=True) for n in (1, 1, 1, 2))
    processor = DryWet(
        ParallelMix(
            {"a": GainStagingRegularization(Gain(channels=2)), "b": Offset()},
            activation="softplus",
        )
    )

    def call(u, gain, offset, weight, mix):
        y, i = processor(u, drywet_weight=weight, parallel_weights=mix, a={"gain": gain}, b={"offset": offset})
        return y, i["a"]["gain_reg"]

    assert gradcheck(call, (u, gain, offset, weight, mix))


def test_any_module_with_the_contract_can_be_wrapped(x):
    class Negative(torch.nn.Module):
        def parameter_size(self):
            return {}

        def forward(self, u):
            return [-u, {"seen": u.shape[0]}]

    y, intermediates = DryWet(Negative())(x, drywet_weight=torch.ones(3))
    torch.testing.assert_close(y, -x)
    assert intermediates == {"seen": 3}


@pytest.mark.parametrize(
    "construct, told",
    [
        (lambda: DryWet(Generator()), "generator Generator"),
        (lambda: SerialChain({"a": Generator()}), "generator Generator"),
        (lambda: DryWet(torch.nn.ReLU()), "ReLU has no parameter_size"),
        (lambda: DryWet(DryWet(Gain(), external_param=False)), "drywet_weight"),
        (lambda: DryWet(SerialChain({"a": DryWet(Gain())}), external_param=False), "drywet_weight"),
        (lambda: SerialChain({}), "at least one"),
        (lambda: SerialChain([Gain()]), "dict"),
        (lambda: SerialChain({"a.b": Gain()}), "a.b"),
        (lambda: ParallelMix({"a": Gain()}, activation="relu"), "activation"),
        (lambda: ParallelMix({"parallel_weights": Gain()}), "parallel_weights"),
    ],
)
def test_what_cannot_be_built_is_refused(construct, told):
    with pytest.raises(ParameterError, match=told):
        construct()


@pytest.mark.parametrize(
    "call, told",
    [
        (lambda x: DryWet(Gain())(x, gain=GAIN), "drywet_weight: hand it in as a common parameter"),
        (lambda x: DryWet(Gain(), False)(x, gain=GAIN), "it is a raw parameter"),
        (lambda x: DryWet(Gain())(x, drywet_weight=torch.ones(2), gain=GAIN), r"not \(2,\)"),
        (lambda x: DryWet(Gain())(x, x, drywet_weight=WEIGHT, gain=GAIN), "one inlet and got 2"),
        (lambda x: SerialChain({"a": Gain()})(a={"gain": GAIN}), "one inlet and got 0"),
        (lambda x: DryWet(Splitter())(x, drywet_weight=WEIGHT), "Splitter has 2"),
        (lambda x: SerialChain({"a": Gain()})(x), "needs the parameters of 'a'"),
        (lambda x: SerialChain({"a": Gain()})(x, a=GAIN), "must be a dict"),
        (lambda x: SerialChain({"a": Gain()})(x, a={"gain": GAIN}, b=GAIN), "no parameter 'b'"),
        (lambda x: SerialChain({"a": Gain()})(x, a={"gain": GAIN}, drywet_weight=WEIGHT), "drywet_weight"),
        (lambda x: ParallelMix({"a": Identity()})(x), "needs parallel_weights"),
        (
            lambda x: ParallelMix({"a": Identity()})(x, parallel_weights=torch.zeros(3, 2)),
            r"parallel_weights of shape \(3, 1\)",
        ),
        (
            lambda x: GainStagingRegularization(GainStagingRegularization(Gain()))(x, gain=GAIN),
            "choose another key",
        ),
    ],
)
def test_what_cannot_be_called_is_refused(x, call, told):
    with pytest.raises(ParameterError, match=told):
        call(x)
