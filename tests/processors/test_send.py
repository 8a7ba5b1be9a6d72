import numpy as np
import pytest
import torch
from grafx.processors import ConvolutionReverb, Send, StereoGain

from grafx.data import GRAFX, NodeConfigs
from grafx.render import Renderer, StreamRenderer


def db(value):
    return 10 ** (value / 20)


def test_a_send_is_a_part_of_what_passes(rng):
    x = torch.from_numpy(rng.standard_normal((2, 2, 50)))
    main, send = Send()(x, dsp_params={"send_db": torch.tensor([-6.0, 0.0]).double()})
    assert torch.equal(main, x)
    np.testing.assert_allclose(send, x * torch.tensor([db(-6), 1.0])[:, None, None], rtol=1e-6)


def test_gradients(rng):
    x = torch.from_numpy(rng.standard_normal((2, 1, 5))).requires_grad_()
    assert torch.autograd.gradcheck(Send(), (x, torch.zeros(2, 1).double().requires_grad_()))


@pytest.fixture
def desk():
    """Two tracks with a fader each, that share a reverb: one sends before its fader, the other after it."""
    noise = np.random.default_rng(1).standard_normal((2, 400)) * np.logspace(0, -3, 400)
    processors = {"send": Send(), "fader": StereoGain(), "reverb": ConvolutionReverb(torch.from_numpy(noise).float())}
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    voice, guitar, mix, out = G.add("in"), G.add("in"), G.add("mix"), G.add("out")
    levels = {"left_gain_db": -9.0, "right_gain_db": -9.0}
    before, after = (G.add("send", parameters={"send_db": level}) for level in (-12.0, -3.0))
    faders = [G.add("fader", parameters=levels) for _ in range(2)]
    bus, ret = G.add("reverb"), G.add("fader", parameters={"left_gain_db": 2.0, "right_gain_db": 2.0})
    G.connect(voice, before)
    G.connect(before, faders[0])
    G.connect(faders[0], mix)
    G.connect(before, bus, outlet="send")
    G.connect(guitar, faders[1])
    G.connect(faders[1], after)
    G.connect(after, mix)
    G.connect(after, bus, outlet="send")
    G.connect(bus, ret)
    G.connect(ret, mix)
    G.connect(mix, out)
    return G, processors, noise


def by_hand(x, noise):
    sent = db(-12) * x[0] + db(-3) * db(-9) * x[1]
    wet = np.stack([np.convolve(s, h)[: x.shape[-1]] for s, h in zip(sent, noise, strict=True)])
    return db(-9) * (x[0] + x[1]) + db(2) * wet


def test_two_tracks_share_a_reverb(desk, rng):
    G, processors, noise = desk
    x = rng.standard_normal((2, 2, 1500))
    with torch.no_grad():
        y = Renderer(G, processors)(torch.from_numpy(x).float())
    np.testing.assert_allclose(y[0], by_hand(x, noise), atol=1e-4)


def test_in_blocks_too(desk, rng):
    G, processors, noise = desk
    x = rng.standard_normal((2, 2, 1500))
    stream = StreamRenderer(G, processors)
    y = torch.cat([stream(block) for block in torch.from_numpy(x).float().split(333, -1)], -1)
    np.testing.assert_allclose(y[0], by_hand(x, noise), atol=1e-4)
