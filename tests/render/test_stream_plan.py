"""What a stream remembers between blocks: parameters that change are heard, and states stay what they were."""

import copy
import math

import grafx.processors as gp
import pytest
import torch
import torch.nn as nn
from grafx.processors.core.convolution import FIRConvolution

from grafx.data import GRAFX, NodeConfigs
from grafx.errors import RenderError
from grafx.render import StreamRenderer

PROCESSORS = {
    "eq": gp.ZeroPhaseFIREqualizer(num_magnitude_bins=40),
    "compressor": gp.Compressor(),
    "gate": gp.NoiseGate(energy_smoother="ballistics", style="grafx"),
    "imager": gp.SideGainImager(),
    "gain": gp.StereoGain(),
    "chain": gp.SerialChain({"shelf": gp.LowShelf(), "gain": gp.StereoGain()}),
    "delay": gp.MultitapDelay(segment_len=300, num_segments=2, num_delay_per_segment=1),
    "reverb": gp.STFTMaskedNoiseReverb(ir_len=3000),
}
PROCESSORS = {name: gp.DryWet(processor) for name, processor in PROCESSORS.items()}


def console():
    G = GRAFX(config=NodeConfigs.from_processors(PROCESSORS))
    mix = G.add("mix")
    for _ in range(2):
        G.connect(G.add_serial_chain(["in", *PROCESSORS])[1], mix)
    G.connect(mix, G.add_serial_chain(["compressor", "out"])[0])
    return G


def stream_of(G):
    stream = StreamRenderer(G, PROCESSORS)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in stream.per_type_parameters.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.3)
    return stream


def noise(*lengths, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, 2, sum(lengths), generator=generator, dtype=dtype).split(list(lengths), -1)


def weights(stream, value=0.6):
    return {"drywet_weight": torch.full((len(stream.G),), value)}


def in_place(stream, node_type):
    with torch.no_grad():
        for parameter in stream.per_type_parameters[node_type].parameters():
            parameter.mul_(-0.5).add_(0.1)


def replaced(stream, node_type):
    def changed(tree):
        for name, value in list(tree.items()):
            if isinstance(value, nn.ParameterDict):
                changed(value)
            else:
                tree[name] = nn.Parameter(-0.5 * value.detach() + 0.1)

    changed(stream.per_type_parameters[node_type])


def other_data(stream, node_type):
    for parameter in stream.per_type_parameters[node_type].parameters():
        parameter.data = -0.5 * parameter.data + 0.1


def through_data(stream, node_type):
    for parameter in stream.per_type_parameters[node_type].parameters():
        parameter.data.mul_(-0.5).add_(0.1)


def through_numpy(stream, node_type):
    for parameter in stream.per_type_parameters[node_type].parameters():
        array = parameter.detach().numpy()
        array *= -0.5
        array += 0.1


def other_tree(stream, node_type):
    tree = copy.deepcopy(stream.per_type_parameters)
    with torch.no_grad():
        for parameter in tree[node_type].parameters():
            parameter.mul_(-0.5).add_(0.1)
    stream.per_type_parameters = tree


def loaded(stream, node_type):
    state = {
        name: -0.5 * value + 0.1 if name.startswith(f"per_type_parameters.{node_type}.") else value
        for name, value in stream.state_dict().items()
    }
    stream.load_state_dict(state)


@pytest.mark.parametrize("node_type", PROCESSORS)
@pytest.mark.parametrize("change", [in_place, through_data, through_numpy, replaced, other_data, other_tree, loaded])
def test_a_parameter_that_changes_between_blocks_is_heard_from_the_next_one(change, node_type):
    stream, (a, b, c, d) = stream_of(console()), noise(64, 64, 64, 200)
    common = weights(stream)
    for block in (a, b):
        stream(block, common)
    unchanged = copy.deepcopy(stream)
    change(stream, node_type)
    anew = stream_of(console())  # which remembers nothing
    anew.state = copy.deepcopy(stream.state)
    anew.load_state_dict(stream.state_dict())
    for block in (c, d):
        got, before = stream(block, common), unchanged(block, common)
        torch.testing.assert_close(got, anew(block, common), rtol=0, atol=1e-6)
        anew.state = copy.deepcopy(anew.state)
    assert (got - before).abs().max() > 1e-4


@pytest.mark.parametrize("way", ["in place", "replaced", "in inference mode"])
def test_a_common_parameter_that_changes_is_heard_from_the_next_block(way):
    stream, (a, b, c) = stream_of(console()), noise(64, 64, 64)
    with torch.inference_mode(way == "in inference mode"):
        common = weights(stream)
        for block in (a, b):
            stream(block, common)
        if way == "replaced":
            common["drywet_weight"] = torch.full((len(stream.G),), 0.2)
        else:
            common["drywet_weight"].fill_(0.2)
        got = stream(c, common)
    expected = stream_of(console())
    for block in (a, b):
        expected(block, weights(expected))
    torch.testing.assert_close(got, expected(c, weights(expected, 0.2)), rtol=0, atol=1e-6)


def test_another_processor_another_batch_and_another_type_are_noticed():
    stream, (a, b, _) = stream_of(console()), noise(64, 64, 64)
    stream(a, weights(stream))
    stream.processors["gain"] = gp.MonoToStereo()
    with pytest.raises(RenderError, match=r"no parameter .*'log_gain'"):
        stream(b, weights(stream))
    stream.processors["gain"] = PROCESSORS["gain"]
    with pytest.raises(RenderError, match="float64"):
        stream(b.double(), weights(stream))
    with pytest.raises(ValueError, match="state"):
        stream(b.expand(3, *b.shape), weights(stream))
    again = stream_of(console())
    again(a, weights(stream))
    torch.testing.assert_close(stream(b, weights(stream)), again(b, weights(stream)), rtol=0, atol=1e-6)


@pytest.mark.parametrize("lengths", [(64,) * 12, (100, 1, 0, 28, 300, 64, 64, 5), (64, 2000, 7)])
@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-5), (torch.float64, 1e-11)])
def test_states_that_are_used_again_give_the_same(lengths, dtype, tolerance):
    blocks = noise(*lengths, dtype=dtype)
    stream = stream_of(console()).to(dtype)
    common = {"drywet_weight": weights(stream)["drywet_weight"].to(dtype)}
    whole = torch.cat(blocks, -1)
    states, outputs = [], []
    for block in blocks:
        states.append(stream.state)
        outputs.append(stream(block, common))
    expected = stream_of(console()).to(dtype)(whole, common)
    assert (torch.cat(outputs, -1) - expected).abs().max() <= tolerance * expected.abs().max()
    for index in (0, len(blocks) // 2, len(blocks) - 1, 1):
        stream.state = states[index]
        for block, output in zip(blocks[index:], outputs[index:], strict=True):
            torch.testing.assert_close(stream(block, common), output, rtol=0, atol=tolerance)


def test_two_streams_go_on_from_one_state_in_turn():
    first, second, (a, b, c, d) = stream_of(console()), stream_of(console()), noise(100, 64, 64, 64)
    common = weights(first)
    first(a, common)
    second.state = first.state
    got = [stream(block, common) for block in (b, d) for stream in (first, second)]
    assert torch.equal(got[0], got[1]) and torch.equal(got[2], got[3])
    first.state = state = second.state
    other, same = first(c, common), second(d, common)
    first.state = state
    torch.testing.assert_close(first(d, common), same, rtol=0, atol=1e-6)
    assert not torch.allclose(other, same)


def test_a_block_that_fails_changes_nothing():
    stream, twin, blocks = stream_of(console()), stream_of(console()), noise(*[64] * 6)
    common = weights(stream)
    for block in blocks:
        state = stream.state
        with pytest.raises(RenderError, match="NaN or infinite"):
            stream(torch.full_like(block, math.inf), common)
        assert stream.state is state
        torch.testing.assert_close(stream(block, common), twin(block, common), rtol=0, atol=1e-6)


def test_what_does_not_change_is_made_once(monkeypatch):
    made = []
    original = gp.STFTMaskedNoiseReverb._response
    monkeypatch.setattr(gp.STFTMaskedNoiseReverb, "_response", lambda *a: made.append(1) or original(*a))
    stream, blocks = stream_of(console()), noise(*[64] * 4)
    common = weights(stream)
    for block in blocks:
        stream(block, common)
    assert len(made) == 1
    in_place(stream, "reverb")
    stream(blocks[0], common)
    assert len(made) == 2


def test_a_copy_of_a_stream_goes_on_by_itself():
    stream, (a, b, c) = stream_of(console()), noise(64, 64, 64)
    common = weights(stream)
    stream(a, common)
    twin = copy.deepcopy(stream)
    torch.testing.assert_close(twin(b, common), stream(b, common), rtol=0, atol=1e-6)
    stream(a, common)
    torch.testing.assert_close(twin(c, common), stream_after(a, b)(c, common), rtol=0, atol=1e-6)


def stream_after(*blocks):
    stream = stream_of(console())
    for block in blocks:
        stream(block, weights(stream))
    return stream


@pytest.mark.parametrize("signs", [(math.inf, -math.inf), (math.nan,), (-math.inf,)])
def test_what_is_not_finite_is_found_in_any_signal(signs):
    from grafx.processors.core.finite import all_finite

    signals = [torch.randn(2, 2, 33), torch.randn(1, 0), torch.randn(3, 5, dtype=torch.float64), torch.randn(4, 6).T]
    signals.append(torch.full((3,), 3e38))  # whose sum overflows
    assert all_finite(signals)
    for index in (0, 2, 3, 4):
        spoilt = signals[index].clone() if index != 3 else signals[index].contiguous().clone().T.contiguous().T
        spoilt.reshape(-1)[: len(signs)] = 0.0
        spoilt[tuple(0 for _ in spoilt.shape[:-1])][..., : len(signs)] = torch.tensor(signs, dtype=spoilt.dtype)
        assert not all_finite([*signals[:index], spoilt, *signals[index + 1 :]])


def test_a_convolution_of_other_signals_refuses_what_a_processor_remembers():
    class Odd(gp.base.Processor):
        latency_samples = 0

        def __init__(self):
            super().__init__()
            self.conv = FIRConvolution()
            self.calls = 0

        def parameter_size(self):
            return {}

        def forward(self, x):
            self.calls += 1
            return self.conv(x if self.calls < 3 else torch.cat([x, x, x]), torch.ones(1, 1, 3000))[: len(x)]

    odd = Odd()
    G = GRAFX(config=NodeConfigs.from_processors({"odd": odd}))
    G.add_serial_chain(["in", "odd", "out"])
    stream = StreamRenderer(G, {"odd": odd})
    for _ in range(2):
        stream(torch.ones(1, 1, 64))
    with pytest.raises(ValueError, match="does not fit the block"):
        stream(torch.ones(1, 1, 64))
