"""Amplifiers beside products."""

import numpy as np
import pytest
import torch
from grafx.processors import ADSR, Amplifier, SineOscillator
from grafx.processors.base import ParameterError


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("channels", [(1, 1), (2, 2), (1, 2), (2, 1)])
def test_is_a_product(channels, dtype, rng):
    x, c = (rng.normal(size=(3, n, 7)) for n in channels)
    gain = rng.normal(size=(3, 1))
    y = Amplifier()(*(torch.tensor(v, dtype=dtype) for v in (x, c)), factor=torch.tensor(gain, dtype=dtype))
    assert y.dtype == dtype
    np.testing.assert_allclose(y, gain[..., None] * c * x, rtol=1e-5 if dtype == torch.float32 else 1e-12)


def test_an_envelope_shapes_a_tone():
    tone = SineOscillator()(num_samples=2000, dsp_params={"frequency_hz": 440})
    envelope = ADSR("linear")(num_samples=2000, dsp_params={"attack_ms": 20, "hold_ms": 20.1, "release_ms": 5})
    y = Amplifier()(tone, envelope, dsp_params={})
    attack = np.arange(882) / 882
    np.testing.assert_allclose(y[0, 0, :882], attack * tone[0, 0, :882].numpy(), atol=1e-6)
    assert not y[0, 0, 1200:].any()


@pytest.mark.parametrize("shape", [(2, 1, 6), (3, 1, 7), (3, 3, 6)])
def test_signals_that_do_not_fit_together_are_refused(shape):
    with pytest.raises(ParameterError, match="inlet 'control' of Amplifier must have the batch size"):
        Amplifier()(torch.zeros(3, 2, 6), torch.zeros(shape), factor=torch.ones(3, 1))
