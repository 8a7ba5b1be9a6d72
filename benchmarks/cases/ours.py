"""Cases of this package."""

from collections.abc import Callable
from typing import Any

from . import both
from .both import about, only_import, preparation, rendering, schedules
from .compressors import compressing
from .desk import desk
from .drawings import drawing
from .filters import filtering
from .fitting import fitting
from .floor import copying, transforms
from .graph_data import graph_data
from .graphbench import graphbench
from .inversion import inversion
from .kernels import kernel
from .kicks import kicks
from .likeness import likeness
from .losses import losses
from .modulation import chorus_recovery, modulating
from .recovery import recovery
from .reverbs import reverberation
from .searching import search_parts, whole_search
from .sessions import sessions
from .streaming import blocks, long_sound
from .waveshapers import aliasing, shaping

__all__ = [
    "about",
    "aliasing",
    "blocks",
    "chorus_recovery",
    "compressing",
    "copying",
    "desk",
    "drawing",
    "filtering",
    "fitting",
    "graph_data",
    "graphbench",
    "has_gpu",
    "inversion",
    "kernel",
    "kicks",
    "likeness",
    "long_sound",
    "losses",
    "modulating",
    "only_import",
    "preparation",
    "recovery",
    "rendering",
    "rendering_all",
    "rendering_strips",
    "reverberation",
    "schedules",
    "search_parts",
    "sessions",
    "shaping",
    "transforms",
    "whole_search",
]


def has_gpu() -> Callable[[], dict[str, bool]]:
    """Whether CUDA is available."""
    import torch

    return lambda: {"gpu": torch.cuda.is_available()}


def rendering_all(as_tensor: bool, **arguments: Any) -> Callable[[], dict[str, Any]]:
    """Run ``rendering``, and access every node's signal, as one tensor or one by one."""
    return both.rendering(look=lambda signals: signals.tensor() if as_tensor else signals[0], **arguments)


def rendering_strips(**arguments: Any) -> Callable[[], dict[str, Any]]:
    """Run ``rendering`` with processors like those of a plug-in host; ``processors`` names them."""
    names = [type(processor).__name__ for processor in _like_plugins(set(arguments["chain"])).values()]
    run = both.rendering(shape="strips", make=_like_plugins, train=False, **arguments)
    return lambda: {"processors": names, **(run() or {})}


def _like_plugins(types: set[str]) -> dict[str, Any]:
    import grafx.processors as library

    has_bands = hasattr(library, "ParametricEqualizer")
    make = {
        "eq": lambda: library.ParametricEqualizer(num_filters=3) if has_bands else library.ZeroPhaseFIREqualizer(),
        "compressor": lambda: library.Compressor(energy_smoother="ballistics"),
        "noisegate": lambda: library.NoiseGate(energy_smoother="ballistics"),
        "gain": library.StereoGain,
        "delay": library.MultitapDelay,
        "reverb": library.STFTMaskedNoiseReverb,
    }
    return {name: make[name]() for name in make if name in types}
