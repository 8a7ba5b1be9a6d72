"""Processors of a mixing desk of several packages with the same signals and settings.

A function named ``<processor>_<package>`` imports its package and returns a function of stereo signals, a tensor.
Those of pedalboard and SciPy process one signal after another, in threads where this helps, and have no gradients.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from .probes import probed

if TYPE_CHECKING:
    from grafx.processors.base import Processor
    from torch import Tensor

Function = Callable[["Tensor"], "Tensor"]

SAMPLE_RATE = 44100
DELAY_MS, FEEDBACK = 50.0, 0.5
CUTOFF_HZ = 20.0
PLUGIN_LEVEL = 0.125  # root of the energy that the plug-in scales the louder channel of a response to


def desk(name: str, package: str, train: bool, signals: int, samples: int) -> Callable[[], dict[str, list[float]]]:
    """Process stereo noise, without gradients or with those of signals and settings.

    Args:
        name: Name of the processor, ``echo`` for example.
        package: Package, as in the names of the functions of this module.
        train: Whether to compute gradients, which only ours can.
        signals: Number of signals.
        samples: Length of the signals.

    Returns:
        A function to run, which returns as ``probes`` some numbers of the output, or of the signals' gradient.
    """
    import torch

    x = (torch.randn(signals, 2, samples) / 10).requires_grad_(train)
    weights = torch.randn(x.shape)
    made = globals()[f"{name}_{package}"]()
    process, leaves = made if package == "ours" else (made, [])
    raw = [leaf.expand(signals, -1).clone().requires_grad_(train) for leaf in leaves]

    return probed(process, x, raw, weights, train)


def response() -> "Tensor":
    """Make a stereo room response of two seconds."""
    import torch

    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, 2 * SAMPLE_RATE, generator=generator) * torch.logspace(-1, -4, 2 * SAMPLE_RATE)


def _ours(processor: "Processor", **values: Any) -> tuple[Callable[..., "Tensor"], list["Tensor"]]:
    raw = processor.dsp_to_raw(values, 1)
    shapes = [value.shape[1:] for value in raw.values()]

    def process(x: "Tensor", *leaves: "Tensor") -> "Tensor":
        each = (leaf.reshape(-1, *shape) for leaf, shape in zip(leaves, shapes, strict=True))
        return processor(x, **dict(zip(raw, each, strict=True)))

    return process, [value.flatten(1) for value in raw.values()]


def echo_ours() -> tuple:
    from grafx.processors import FeedbackDelay

    return _ours(FeedbackDelay(damped=False), time_ms=DELAY_MS, feedback=FEEDBACK)


def damped_echo_ours() -> tuple:
    from grafx.processors import FeedbackDelay

    return _ours(FeedbackDelay(), time_ms=DELAY_MS, feedback=FEEDBACK)


def convolution_ours() -> tuple:
    from grafx.processors import ConvolutionReverb

    return _ours(ConvolutionReverb(response()))


def dc_blocker_ours() -> tuple:
    from grafx.processors import DCBlocker

    return _ours(DCBlocker(), cutoff_hz=CUTOFF_HZ)


def tone_stack_ours() -> tuple:
    from grafx.processors import ToneStack

    return _ours(ToneStack())


def dynamic_eq_ours() -> tuple:
    from grafx.processors import DynamicEqualizer

    return _ours(DynamicEqualizer())


def de_esser_ours() -> tuple:
    from grafx.processors import DeEsser

    return _ours(DeEsser())


def echo_pedalboard() -> Function:
    from pedalboard import Delay

    return _plugins(partial(Delay, DELAY_MS / 1000, FEEDBACK, 1.0))


def convolution_pedalboard() -> Function:
    from pedalboard import Convolution

    ir = response()
    loudest = ir.norm(dim=-1).max().item()
    return _plugins(partial(Convolution, ir.numpy(), 1.0, SAMPLE_RATE), loudest / PLUGIN_LEVEL)


def dc_blocker_scipy() -> Function:
    import math

    pole = math.tan(math.pi / 4 - math.pi * CUTOFF_HZ / SAMPLE_RATE)
    return _lfilter([1, -1], [1, -pole])


def tone_stack_scipy() -> Function:
    """Filter with the coefficients of the Bassman, all controls in the middle."""
    return _lfilter(*TONE_STACK)


TONE_STACK = (
    (0.54934360475023, -1.5633815749818964, 1.4842837528303119, -0.47024578259864547),
    (1.0, -2.6701427288077504, 2.3486890994507754, -0.6785183147203493),
)


def _plugins(make: Callable[[], Any], gain: float = 1.0) -> Function:
    import torch

    made: list[Any] = []
    pool = ThreadPoolExecutor(os.cpu_count())

    def process(x: "Tensor") -> "Tensor":
        made.extend(make() for _ in range(len(x) - len(made)))
        rows = pool.map(lambda plugin, row: plugin(row, SAMPLE_RATE, reset=True), made, x.numpy())
        return torch.stack([torch.from_numpy(row) for row in rows]).mul_(gain)

    return process


def _lfilter(b: tuple, a: tuple) -> Function:
    import torch
    from scipy.signal import lfilter

    pool = ThreadPoolExecutor(os.cpu_count())

    def process(x: "Tensor") -> "Tensor":
        rows = pool.map(lambda row: lfilter(b, a, row), x.double().numpy())
        return torch.stack([torch.from_numpy(row) for row in rows]).to(x.dtype)

    return process
