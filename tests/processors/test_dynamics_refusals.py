"""Refusals of the nine dynamic range processors, for each of their controls, by message."""

import re

import pytest
import torch
from grafx.processors import (
    Compressor,
    Expander,
    Limiter,
    MultiBandCompressor,
    MultiBandExpander,
    MultiBandLimiter,
    MultiBandNoiseGate,
    NoiseGate,
    TransientShaper,
)
from grafx.processors.base import ParameterError

KINDS = [Compressor, Limiter, Expander, NoiseGate, TransientShaper]
BANDS = [MultiBandCompressor, MultiBandLimiter, MultiBandExpander, MultiBandNoiseGate]


def make(kind):
    return kind(style="desk") if kind in (Compressor, NoiseGate) else kind()


CONTROLS = [
    pytest.param(kind, name, id=f"{kind.__name__}-{name}") for kind in [*KINDS, *BANDS] for name in make(kind).controls
]


def refused(kind, message, **views):
    with pytest.raises(ParameterError, match=message):
        make(kind)(torch.zeros(3, 2, 10), **views)


@pytest.mark.parametrize("kind, name", CONTROLS)
def test_values_out_of_range(kind, name):
    control = make(kind).controls[name]
    for value in (control.low - 1, control.high + abs(control.high) / 10 + 1, float("nan")):
        shown = re.escape(f"{name} is {value:g}")
        refused(kind, rf"{shown}.*{name} from .*{control.unit}", dsp_params={name: value})
        refused(kind, rf"{shown}.*{name} from", dsp_params={name: [control.default, value, control.default]})
    for value in (-0.1, 1.1):
        refused(kind, re.escape(f"{name} is {value:g}") + ".* from 0 to 1", norm_params={name: value})


@pytest.mark.parametrize("kind, name", CONTROLS)
def test_values_of_another_batch(kind, name):
    default = make(kind).controls[name].default
    refused(kind, rf"{name} has the shape \(2,\).* batch of 3", dsp_params={name: torch.full((2,), float(default))})


@pytest.mark.parametrize("kind", [*KINDS, *BANDS])
def test_unknown_names_and_two_views_at_once(kind):
    refused(kind, f"{kind.__name__} has no control 'loudness'", dsp_params={"loudness": 1.0})
    refused(kind, f"{kind.__name__} has no control 'loudness'", norm_params={"loudness": 1.0})
    refused(kind, f"{kind.__name__} got dsp_params and norm_params at once", dsp_params={}, norm_params={})
    count = make(kind).count_num_parameters()
    refused(kind, rf"\(batch, {count}\)", norm_params=torch.zeros(3, count + 1))


@pytest.mark.parametrize("kind", [*KINDS, *BANDS])
def test_numbers_and_tensors_of_no_and_one_axis_are_taken(kind):
    processor, x = make(kind), torch.randn(3, 2, 500)
    name, control = next(iter(processor.controls.items()))
    value = 0.5 * (control.low + control.high)
    expected = processor(x, dsp_params={name: value})
    for given in (torch.tensor(value), torch.tensor([value]), torch.full((3,), value), [value] * 3):
        torch.testing.assert_close(processor(x, dsp_params={name: given}), expected)
    if torch.cuda.is_available():
        y = processor.cuda()(x.cuda(), dsp_params={name: torch.full((3,), value)})
        torch.testing.assert_close(y.cpu(), expected, rtol=1e-4, atol=1e-5)
