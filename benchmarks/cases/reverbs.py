"""Reverbs of several packages with the same signals and settings.

A function named ``<reverb>_<package>`` imports its package, and returns a function of signals, and the learned
tensors.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from .kernels import PROBES

if TYPE_CHECKING:
    from torch import Tensor

Settings = Mapping[str, "Tensor"]
Reverb = tuple[Callable[["Tensor"], "Tensor"], list["Tensor"]]

SAMPLE_RATE = 44100
LINES = 16
SHORTEST, LONGEST = 751, 2693
SECTIONS = 9
RESPONSE = 60_000
DAMPING_DB = 60.0  # of what wraps around, as flamo has it


def reverberation(
    name: str, package: str, train: bool, signals: int, samples: int
) -> Callable[[], dict[str, list[float]]]:
    """Reverberate stereo noise, without gradients or with those of signals and settings.

    Args:
        name: Name of the reverb, a key of ``SETTINGS``.
        package: Package, as in the names of the functions of this module.
        train: Whether to compute gradients.
        signals: Number of signals, each with separate settings.
        samples: Length of the signals.

    Returns:
        A function to run, which returns as ``probes`` some numbers of the output, or of the signals' gradient.
    """
    import torch

    x = (torch.randn(signals, 2, samples) / 10).requires_grad_(train)
    settings = SETTINGS[name](signals)
    weights = torch.randn(x.shape)
    run_reverb, learned = globals()[f"{name}_{package}"](settings, train)

    def run() -> dict[str, list[float]]:
        y = run_reverb(x)
        if train:
            y, *_ = torch.autograd.grad(y, [x, *learned], weights)
            with torch.no_grad():
                for value in learned:  # as in training; flamo caches the response of unchanged values
                    value.mul_(1 + 1e-7)
        return {"probes": y.flatten()[:: y.numel() // PROBES].tolist()}

    return run


def networks(signals: int) -> Settings:
    """Draw gains, matrices by their skew-symmetric logarithms, and sections that attenuate by 1 to 2 dB."""
    import torch

    shapes = {"inputs": (LINES, 2), "outputs": (2, LINES), "skew": (LINES, LINES)}
    found = {name: torch.randn(signals, *shape) / 4 for name, shape in shapes.items()}
    sections = torch.randn(signals, LINES, SECTIONS, 6) / 200
    sections[..., 0], sections[..., 3] = 0.98, 1
    return {**found, "sections": sections}


def rooms(signals: int) -> Settings:
    """Draw settings of Freeverb."""
    import torch

    return {name: torch.empty(signals).uniform_(0.2, 0.8) for name in ("room_size", "damping", "width")}


def decays(signals: int) -> Settings:
    """Draw decay times of octaves in seconds."""
    import torch

    return {"t60_s": torch.empty(signals, 2, SECTIONS).uniform_(0.3, 1.5)}


SETTINGS: dict[str, Callable[[int], Settings]] = {
    "network": networks,
    "freeverb": rooms,
    "velvet": decays,
}


def _lengths() -> list[int]:
    ratio = (LONGEST / SHORTEST) ** (1 / (LINES - 1))
    return [round(SHORTEST * ratio**i) for i in range(LINES)]


def _learned(settings: Settings, train: bool) -> Settings:
    return {name: value.requires_grad_(train) for name, value in settings.items()}


def _network(compute: Callable, settings: Settings, train: bool) -> Reverb:
    import torch
    from grafx.processors.core.delay_network import Network

    learned = _learned(settings, train)

    def run(x: "Tensor") -> "Tensor":
        upper = learned["skew"].double().triu(1)
        matrix = torch.linalg.matrix_exp(upper - upper.mT)
        return compute(x, Network(_lengths(), learned["sections"], matrix, learned["inputs"], learned["outputs"]))

    return run, [*learned.values()]


def network_ours(settings: Settings, train: bool) -> Reverb:
    from grafx.processors.core.delay_network import delay_network

    return _network(lambda x, network: delay_network(x, network)[0], settings, train)


def network_ours_by_frequency(settings: Settings, train: bool) -> Reverb:
    from grafx.processors.core.delay_network import delay_network_by_frequency

    return _network(delay_network_by_frequency, settings, train)


def network_flamo(settings: Settings, train: bool) -> Reverb:
    """Run one network after another, since each has one set of settings for all signals.

    Its sections cannot be learned, so a graphic equalizer replaces them in training.
    """
    import warnings

    import torch
    from flamo.processor import dsp, system

    warnings.simplefilter("ignore")

    def make(samples: int, row: int) -> tuple["torch.nn.Module", list["Tensor"]]:
        options = {"nfft": samples, "alias_decay_db": DAMPING_DB, "device": "cpu"}
        delays = dsp.parallelDelay((LINES,), max_len=LONGEST, isint=True, unit=1, fs=SAMPLE_RATE, **options)
        delays.assign_value(torch.tensor(_lengths()) / SAMPLE_RATE)
        parts = {
            "inputs": dsp.Gain((LINES, 2), requires_grad=train, **options),
            "skew": dsp.Matrix((LINES, LINES), matrix_type="orthogonal", requires_grad=train, **options),
            "outputs": dsp.Gain((2, LINES), requires_grad=train, **options),
        }
        for name, part in parts.items():
            part.assign_value(settings[name][row])
        if train:
            filters = dsp.parallelGEQ((LINES,), fs=SAMPLE_RATE, requires_grad=True, **options)
            filters.assign_value(torch.full_like(filters.param, 0.85))
        else:
            filters = dsp.parallelSOSFilter((LINES,), SECTIONS, fs=SAMPLE_RATE, normalize_a0=False, **options)
            filters.assign_value(settings["sections"][row].permute(1, 2, 0).contiguous())
        loop = system.Recursion(fF=system.Series(delays, filters), fB=parts["skew"])
        core = system.Series(parts["inputs"], loop, parts["outputs"])
        transforms = {"input_layer": dsp.FFT(samples), "output_layer": dsp.iFFTAntiAlias(**options)}
        learned = [part.param for part in (*parts.values(), filters)] if train else []
        return system.Shell(core=core, **transforms), learned

    made: list = []
    learned: list[torch.Tensor] = []

    def run(x: "Tensor") -> "Tensor":
        if not made:
            made.extend(make(x.shape[-1], row) for row in range(len(x)))
            learned.extend(tensor for _, tensors in made for tensor in tensors)
        damped = x * torch.logspace(0, -DAMPING_DB / 20, x.shape[-1])
        return torch.cat([shell(damped[row : row + 1].mT).mT for row, (shell, _) in enumerate(made)])

    return run, learned


def freeverb_ours(settings: Settings, train: bool) -> Reverb:
    from grafx.processors import Freeverb

    processor, learned = Freeverb(SAMPLE_RATE), _learned(settings, train)
    return lambda x: processor(x, dsp_params=learned), [*learned.values()]


def freeverb_pedalboard(settings: Settings, train: bool) -> Reverb:
    import torch
    from pedalboard import Reverb

    def run(x: "Tensor") -> "Tensor":
        ys = []
        for row, track in enumerate(x):
            values = {name: value[row].item() for name, value in settings.items()}
            plugin = Reverb(**values, wet_level=1 / 3, dry_level=0.0)
            ys.append(torch.from_numpy(plugin(track.numpy(), SAMPLE_RATE, reset=True)))
        return torch.stack(ys)

    return run, []


def _velvet(color: str, settings: Settings, train: bool) -> Reverb:
    from grafx.processors import VelvetNoiseReverb

    processor = VelvetNoiseReverb(RESPONSE, color, num_widths=SECTIONS, sample_rate=SAMPLE_RATE)
    learned = _learned(settings, train)
    return lambda x: processor(x, dsp_params=learned), [*learned.values()]


velvet_ours = partial(_velvet, "bands")
velvet_ours_dark = partial(_velvet, "dark")


def velvet_convolution(settings: Settings, train: bool) -> Reverb:
    """Make a dense response of that length, which is learned sample by sample."""
    import torch
    from torchaudio.functional import fftconvolve

    decay = torch.exp(-6 * torch.arange(RESPONSE) / RESPONSE)
    h = (torch.randn(len(settings["t60_s"]), 2, RESPONSE) * decay).requires_grad_(train)
    return lambda x: fftconvolve(x, h)[..., : x.shape[-1]], [h]
