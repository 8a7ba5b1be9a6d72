"""Cases that run under both packages. They import the measured package themselves, because some measure memory."""

import itertools
import platform
import time
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from . import graphs


def about(packages: Sequence[str] = ("grafx", "torch", "torch_scatter")) -> Callable[[], dict[str, str]]:
    """Collect versions, and the GPU if there is one."""
    import torch

    found = [f"{name} {version(name)}" for name in packages if find_spec(name)]
    gpu = [torch.cuda.get_device_name()] if torch.cuda.is_available() else []
    about = ", ".join([*found, f"Python {platform.python_version()}", *gpu])
    return lambda: {"about": about}


def only_import() -> Callable[[], None]:
    """Import only what scheduling needs."""
    import grafx.render  # noqa: F401

    return lambda: None


def schedules(seeds: tuple[int, int], chains: int, method: str) -> Callable[[], dict[str, Any]]:
    """Schedule graphs of random chains; ``warnings`` counts schedules not proven optimal."""
    from grafx.data import convert_to_tensor
    from grafx.render import compute_render_order

    tensors = [convert_to_tensor(graphs.chains(seed, chains)) for seed in range(*seeds)]

    def run() -> dict[str, Any]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            steps = [len(compute_render_order(G_t, method=method)[0]) for G_t in tensors]
        return {"steps": steps, "warnings": len(caught)}

    return run


def preparation(shape: str, **size: int) -> Callable[[], dict[str, Any]]:
    """Measure all steps before rendering: conversion to tensors, the schedule and the plan."""
    from grafx.data import convert_to_tensor
    from grafx.render import prepare_render, reorder_for_fast_render

    G = getattr(graphs, shape)(**size)

    def run() -> dict[str, Any]:
        times = [time.perf_counter()]
        G_t = convert_to_tensor(G)
        times.append(time.perf_counter())
        G_t = reorder_for_fast_render(G_t, method="beam")
        times.append(time.perf_counter())
        render_data = prepare_render(G_t)
        times.append(time.perf_counter())
        parts = [stop - start for start, stop in itertools.pairwise(times)]
        return {
            "nodes": len(G),
            "steps": int(render_data.max_order) + 1,
            **dict(zip(("convert", "schedule", "prepare"), parts, strict=True)),
        }

    return run


def rendering(
    shape: str,
    sources: int,
    samples: int,
    train: bool,
    record: bool = False,
    batch: int | None = None,
    device: str = "cpu",
    make: Callable[[set[str]], dict[str, Any]] | None = None,
    look: Callable[[Any], Any] = lambda signals: None,
    count: bool = False,
    options: dict[str, Any] | None = None,
    **size: Any,
) -> Callable[[], dict[str, Any]]:
    """Render a graph, without gradients or as a training step.

    Args:
        shape: Function of :mod:`graphs`.
        sources: Number of its inputs.
        samples: Length of the stereo inputs.
        train: Whether to compute gradients of the output's power.
        record: Whether to keep the tensors for gradients, without computing them.
        batch: Number of inputs for each source; by default one, without an axis for it.
        device: Where processors, parameters and signals are. On a GPU, ``tensors`` is counted in any case.
        make: Makes the processors of some types; by default with their default options.
        look: Access of the signals of all nodes.
        count: Whether to count the bytes of tensors (as ``tensors``, in MB), which takes time.
        options: Further arguments of ``render_grafx``.
        **size: Arguments of the function of :mod:`graphs`.
    """
    import torch

    from grafx.data import convert_to_tensor
    from grafx.render import prepare_render, render_grafx, reorder_for_fast_render
    from grafx.utils import create_empty_parameters

    G = getattr(graphs, shape)(**size)
    made = (make or processors_of)(set(G.config.node_types))
    processors = {name: processor.to(device) for name, processor in made.items()}
    parameters = create_empty_parameters(processors, G).to(device)
    options = options or {}
    render_data = prepare_render(reorder_for_fast_render(convert_to_tensor(G), method="beam"))

    def run(x: torch.Tensor) -> None:
        with torch.set_grad_enabled(train or record):
            output, _, signals = render_grafx(processors, x, parameters, render_data, **options)
            if train:
                output.square().mean().backward()
            look(signals)

    shape_of_inputs = (sources, 2) if batch is None else (batch, sources, 2)

    def noise(length: int, requires_grad: bool) -> torch.Tensor:
        return torch.randn(*shape_of_inputs, length).to(device).requires_grad_(requires_grad)

    run(noise(min(samples, 4096), True))  # compiles, and loads libraries
    x = noise(samples, options.get("input_signal_grad", False))
    if device != "cpu":
        return lambda: _on_gpu(lambda: run(x))
    return (lambda: {"tensors": _peak_of_tensors_mb(lambda: run(x))}) if count else (lambda: run(x))


def processors_of(types: set[str]) -> dict[str, Any]:
    """Make processors with their default options."""
    from grafx.processors import (
        Compressor,
        MultitapDelay,
        NoiseGate,
        SideGainImager,
        StereoGain,
        STFTMaskedNoiseReverb,
        ZeroPhaseFIREqualizer,
    )

    classes = {
        "eq": ZeroPhaseFIREqualizer,
        "compressor": Compressor,
        "noisegate": NoiseGate,
        "imager": SideGainImager,
        "gain": StereoGain,
        "delay": MultitapDelay,
        "reverb": STFTMaskedNoiseReverb,
    }
    return {name: make() for name, make in classes.items() if name in types}


def _on_gpu(run: Callable[[], Any]) -> dict[str, float]:
    """Run to the end, and measure the peak of tensors in MB above the initial amount."""
    import torch

    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    torch.cuda.synchronize()
    return {"tensors": (torch.cuda.max_memory_allocated() - before) / 1e6}


def _peak_of_tensors_mb(run: Callable[[], Any]) -> float:
    """Measure the peak of bytes in tensors made by a function, as counted by torch's allocator."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    events = list(profiler.profiler.kineto_results.experimental_event_tree())
    for event in events:
        events += event.children
    allocations = [(e.start_time_ns, e.extra_fields.alloc_size) for e in events if e.tag.name == "Allocation"]
    return max(itertools.accumulate(size for _, size in sorted(allocations))) / 1e6
