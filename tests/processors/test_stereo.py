import numpy as np
import pytest
import torch
from grafx.processors.base import ParameterError
from grafx.processors.stereo.image import MidSideToStereo, MonoToStereo, SideGainImager, StereoGain, StereoToMidSide

from grafx.data import GRAFX, NodeConfigs
from grafx.render import prepare_render, render_grafx, reorder_for_fast_render

EXTREMES = [-1e4, -50.0, 0.0, 50.0, 1e4]


def parameter(values, dtype=torch.float64):
    return torch.tensor(values, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("channels", [1, 2])
def test_stereo_gain_scales_each_channel(channels, rng):
    x, log_gain = rng.standard_normal((3, channels, 17)), rng.standard_normal((3, 2))
    y = StereoGain()(torch.from_numpy(x), torch.from_numpy(log_gain))
    np.testing.assert_allclose(y, np.exp(log_gain)[..., None] * np.broadcast_to(x, (3, 2, 17)), rtol=1e-12)


def test_imager_scales_the_side(rng):
    x, log_gain = rng.standard_normal((3, 2, 17)), rng.standard_normal((3, 1))
    y = SideGainImager()(torch.from_numpy(x), torch.from_numpy(log_gain))
    mid, side = x.mean(1), (x[:, 0] - x[:, 1]) / 2 * np.exp(log_gain)
    np.testing.assert_allclose(y, np.stack([mid + side, mid - side], 1), rtol=1e-12)


def test_imager_keeps_mono_material_at_any_width(rng):
    x = torch.from_numpy(rng.standard_normal((1, 1, 50))).float().expand(-1, 2, -1)
    for log_gain in EXTREMES:
        assert torch.equal(SideGainImager()(x, torch.tensor([[log_gain]])), x)


@pytest.mark.parametrize("processor, size", [(StereoGain(), 2), (SideGainImager(), 1)])
@pytest.mark.parametrize("batch, length", [(1, 5), (2, 4), (2, 0)])
def test_gradients(processor, size, batch, length, rng):
    x = torch.from_numpy(rng.standard_normal((batch, 2, length))).requires_grad_()
    log_gain = torch.from_numpy(rng.standard_normal((batch, size))).requires_grad_()
    if length:
        assert torch.autograd.gradcheck(processor, (x, log_gain))
    processor(x, log_gain).sum().backward()
    assert x.grad.shape == x.shape
    assert log_gain.grad.shape == log_gain.shape
    assert processor.parameter_size() == {"log_gain": size}


def test_gradient_of_a_mono_signal_sums_over_both_outputs(rng):
    x = torch.from_numpy(rng.standard_normal((2, 1, 4))).requires_grad_()
    assert torch.autograd.gradcheck(StereoGain(), (x, parameter([[0.1, -0.3], [1.0, 0.0]])))


@pytest.mark.parametrize("processor, size", [(StereoGain(), 2), (SideGainImager(), 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_gains_are_finite(processor, size, dtype, rng):
    x = torch.from_numpy(rng.standard_normal((len(EXTREMES), 2, 64))).to(dtype).requires_grad_()
    log_gain = parameter([[v] * size for v in EXTREMES], dtype)
    y = processor(x, log_gain)
    y.square().sum().backward()
    assert y.dtype == dtype
    for tensor in (y, x.grad, log_gain.grad):
        assert torch.isfinite(tensor).all()


def test_arguments_are_left_alone(rng):
    x = torch.from_numpy(rng.standard_normal((1, 2, 9)))
    before = x.clone()
    SideGainImager()(x, torch.ones(1, 1).double())
    assert torch.equal(x, before)


def test_imager_refuses_a_mono_signal():
    with pytest.raises(ParameterError, match=r"SideGainImager needs a stereo signal.*\(1, 1, 8\)"):
        SideGainImager()(torch.zeros(1, 1, 8), torch.zeros(1, 1))


@pytest.mark.parametrize("normalize, factor", [(True, np.sqrt(0.5)), (False, 1.0)])
@pytest.mark.parametrize("batch, length", [(1, 1), (3, 17), (2, 0)])
def test_mid_and_side_are_sum_and_difference(normalize, factor, batch, length, rng):
    x = rng.standard_normal((batch, 2, length))
    mid, side = StereoToMidSide(normalize)(torch.from_numpy(x))
    np.testing.assert_allclose(mid[:, 0], factor * (x[:, 0] + x[:, 1]), rtol=1e-12)
    np.testing.assert_allclose(side[:, 0], factor * (x[:, 0] - x[:, 1]), rtol=1e-12)
    assert mid.shape == side.shape == (batch, 1, length)


@pytest.mark.parametrize("normalize, factor", [(True, np.sqrt(0.5)), (False, 1.0)])
@pytest.mark.parametrize("batch, length", [(1, 1), (3, 17), (2, 0)])
def test_left_and_right_are_sum_and_difference(normalize, factor, batch, length, rng):
    mid, side = rng.standard_normal((2, batch, 1, length))
    y = MidSideToStereo(normalize)(torch.from_numpy(mid), torch.from_numpy(side))
    np.testing.assert_allclose(y, factor * np.concatenate([mid + side, mid - side], 1), rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_there_and_back_changes_nothing_if_normalized_and_doubles_otherwise(dtype, rng):
    x = torch.from_numpy(rng.standard_normal((2, 2, 50))).to(dtype)
    y = MidSideToStereo()(*StereoToMidSide()(x))
    assert y.dtype == dtype
    torch.testing.assert_close(y, x)
    torch.testing.assert_close(MidSideToStereo(normalize=False)(*StereoToMidSide(normalize=False)(x)), 2 * x)


def test_normalized_mid_and_side_hold_the_energy(rng):
    x = torch.from_numpy(rng.standard_normal((1, 2, 50)))
    assert sum(v.square().sum() for v in StereoToMidSide()(x)) == pytest.approx(x.square().sum().item())


@pytest.mark.parametrize("channels", [1, 2])
def test_mono_becomes_stereo_and_stereo_stays(channels, rng):
    x = rng.standard_normal((3, channels, 9))
    y = MonoToStereo()(torch.from_numpy(x))
    np.testing.assert_array_equal(y, np.broadcast_to(x, (3, 2, 9)))


def test_gradients_of_conversions(rng):
    stereo, mid, side = (torch.from_numpy(rng.standard_normal((2, c, 4))).requires_grad_() for c in (2, 1, 1))
    assert torch.autograd.gradcheck(StereoToMidSide(), stereo)
    assert torch.autograd.gradcheck(MidSideToStereo(), (mid, side))
    assert torch.autograd.gradcheck(MonoToStereo(), mid)
    for processor in (StereoToMidSide(), MidSideToStereo(), MonoToStereo()):
        assert processor.parameter_size() == {}


def test_conversions_refuse_other_channel_counts():
    mono, stereo = torch.zeros(1, 1, 8), torch.zeros(1, 2, 8)
    with pytest.raises(ParameterError, match=r"StereoToMidSide needs a stereo signal.*\(1, 1, 8\)"):
        StereoToMidSide()(mono)
    with pytest.raises(ParameterError, match=r"mono signal.*at its inlet 'side', not \(1, 2, 8\)"):
        MidSideToStereo()(mono, stereo)
    with pytest.raises(ParameterError, match=r"MonoToStereo needs a mono or stereo signal.*\(1, 3, 8\)"):
        MonoToStereo()(torch.zeros(1, 3, 8))


@pytest.mark.parametrize("as_dict", [False, True])
def test_mid_and_side_are_processed_apart_in_a_graph(as_dict, toys, rng):
    processors = {
        "gain": toys.make()["gain"],
        "split": StereoToMidSide(),
        "join": MidSideToStereo(),
        "widen": MonoToStereo(),
    }
    config = NodeConfigs.from_processors(processors)
    if as_dict:
        sides = ["mid", "side"]
        written = NodeConfigs({"gain": {}, "split": {"outlets": sides}, "join": {"inlets": sides}, "widen": {}})
        assert written == config
        config = written
    G = GRAFX(config=config)
    joined, widened = G.add("out"), G.add("out")
    for _ in range(2):
        source, split, join, widen = (G.add(t) for t in ("in", "split", "join", "widen"))
        G.connect(source, split)
        G.connect(join, joined)
        G.connect(split, widen, outlet="side")
        G.connect(widen, widened)
        for side in ("mid", "side"):
            gain = G.add("gain")
            G.connect(split, gain, outlet=side)
            G.connect(gain, join, inlet=side)
    x, gains = rng.standard_normal((2, 2, 30)), rng.standard_normal((4, 1))
    parameters = {"gain": {"gain": torch.from_numpy(gains)}}
    plan = prepare_render(reorder_for_fast_render(G))
    y, _, _ = render_grafx(processors, torch.from_numpy(x), parameters, plan)

    mid, side = x[:, 0] + x[:, 1], x[:, 0] - x[:, 1]
    m, s = mid * gains[::2], side * gains[1::2]
    np.testing.assert_allclose(y[0], np.stack([m + s, m - s]).sum(1) / 2, rtol=1e-12)
    np.testing.assert_allclose(y[1], np.stack([side, side]).sum(1) / np.sqrt(2), rtol=1e-12)


def test_a_side_that_nothing_feeds_is_silent(rng):
    processors = {"split": StereoToMidSide(), "join": MidSideToStereo()}
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    source, split, join, out = (G.add(t) for t in ("in", "split", "join", "out"))
    G.connect(source, split)
    G.connect(split, join, outlet="mid", inlet="mid")
    G.connect(join, out)
    x = torch.from_numpy(rng.standard_normal((1, 2, 30)))
    y, _, _ = render_grafx(processors, x, {}, prepare_render(reorder_for_fast_render(G)))
    torch.testing.assert_close(y, x.mean(1, keepdim=True).expand(-1, 2, -1))
