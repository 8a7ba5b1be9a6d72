"""A search and a profile on a device: ``python -m benchmarks.on_device search|profile [--device cpu] [--out FILE]``."""

import argparse
import time
from pathlib import Path

import torch

from .cases.both import rendering
from .sections.consoles import console

STEPS = 3  # of a profile
SAMPLE_RATE = 44100


def search(device: str, quick: bool) -> None:
    """Search a mix of four made-up stems, and say how well and how fast."""
    from grafx.search import Options, Search

    generator = torch.Generator().manual_seed(0)
    stems = 0.1 * torch.randn(4, 2, SAMPLE_RATE * (2 if quick else 8), generator=generator)
    mix = (torch.tensor([0.2, 0.5, 0.8, 1.1])[:, None, None] * stems).sum(0)
    options = Options(fit_steps=2, rounds=1, tune_steps=1) if quick else Options(fit_steps=60, rounds=2, tune_steps=20)
    names = ["drums", "bass", "other", "vocals"]
    made = Search(stems, mix, SAMPLE_RATE, names, options=options, device=device)
    began = time.perf_counter()
    steps = list(made.run())
    seconds = time.perf_counter() - began
    found = made.result()
    print(f"{len(steps)} steps in {seconds:.1f} s on {device}: {steps[0].loss:.4f} to {steps[-1].loss:.4f}, {found.G}")


def profile(device: str, quick: bool, out: Path | None) -> None:
    """Print what training steps of the 16-track console spend their time on, and write a trace."""
    tracks, samples = (4, 2**12) if quick else (16, 2**17)
    step = rendering(**console(tracks, samples), train=True, device=device)
    kinds = [torch.profiler.ProfilerActivity.CPU]
    kinds += [torch.profiler.ProfilerActivity.CUDA] if device.startswith("cuda") else []
    with torch.profiler.profile(activities=kinds) as recorded:
        for _ in range(STEPS):
            step()
    column = "self_cuda_time_total" if device.startswith("cuda") else "self_cpu_time_total"
    print(recorded.key_averages().table(sort_by=column, row_limit=30, max_name_column_width=60))
    if out is not None:
        recorded.export_chrome_trace(str(out))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.on_device", description=__doc__)
    parser.add_argument("part", choices=("search", "profile"))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", type=Path, help="file for the trace of a profile")
    parser.add_argument("--quick", action="store_true", help="tiny sizes")
    options = parser.parse_args()
    if options.part == "search":
        search(options.device, options.quick)
    else:
        profile(options.device, options.quick, options.out)


if __name__ == "__main__":
    main()
