"""No kernel reads or writes outside of its arrays, whatever the operators are called with.

All of it runs in a process of its own, whose kernels are compiled with checks of their indices. Loads and stores of
whole vectors have none, so what the operators themselves refuse is what counts.
"""

import json
import os
import pkgutil
import subprocess
import sys
from importlib import import_module

import pytest
import torch

SIZES = [(3, 20), (9, 41), (1, 1), (0, 20), (3, 0)]  # rows, samples
DOUBLE = torch.float64


def leaf(*shape, low=0.0, high=0.9, dtype=DOUBLE):
    return (low + (high - low) * torch.rand(shape, dtype=DOUBLE)).to(dtype).requires_grad_()


def doors():
    """Calls of every operator, by functions of rows and samples; a new operator needs one here."""
    from grafx.processors.core import (
        adsr,
        allpass_chain,
        antialiasing,
        biquad,
        comb,
        convolution,
        delay_line,
        delay_network,
        feedback_delay,
        followed,
        freeverb,
        ladder,
        mel_distance,
        noise,
        phase,
        ramp,
        recursion,
        segments,
        smoothed,
        state_space,
        wavetable,
    )

    def network(r):
        sos = torch.tensor([0.5, 0.1, 0, 1, -0.1, 0], dtype=DOUBLE).expand(r, 3, 2, 6).clone().requires_grad_()
        return delay_network.Network((3, 5, 9), sos, leaf(r, 3, 3, high=0.3), leaf(r, 3, 2), leaf(r, 1, 3))

    def line(kind, times):
        def run(r, n):
            state = leaf(r, 9), torch.zeros(())
            return delay_line.delay_line_process(leaf(r, n), times(r, n), state, (8.0, kind), leaf(r))

        return run

    def distances(of_each):
        def run(r, n):
            weights, window = torch.rand(3, 3, dtype=DOUBLE), torch.hann_window(8, dtype=DOUBLE)
            bands = mel_distance.Bands(window, 2, torch.tensor([0, 1, 3]), torch.tensor([2, 3, 2]), weights)
            signal, silent = leaf(r, 2, n + 5, low=-1), torch.rand(r if of_each else 1, 4) > 0.5
            carrier = mel_distance.stereo_spectra(torch.randn(len(silent), 2, n + 5).double(), window, 2)[:, :, 0]
            magnitudes = mel_distance.band_magnitudes(carrier.new_ones(len(silent), 2, n + 5), bands, carrier, silent)
            return mel_distance.mel_distances(signal, mel_distance.Target(magnitudes, carrier, silent), bands)

        return run

    def follows(number, taps, sidechain):
        def run(r, n):
            x = leaf(r, 2, n, low=-1, dtype=torch.float32)
            key = leaf(r, 3, n, low=-1, dtype=torch.float32) if sidechain else x
            return followed.follow(x, key, smoothed.Ramp(1e-5, -1, leaf(r, 4)), leaf(r, number), taps)

        return run

    table = wavetable.Wavetable(torch.randn(3, 9, dtype=torch.complex128))
    combs = [[8, 9, 10, 11, 12, 13, 14, 15, 9]]

    def reverb(r, n):
        state = leaf(r, 9, 15), leaf(r, 8)
        return freeverb.combs_and_allpasses(leaf(r, n), combs, leaf(r, 2, high=0.4), 0.5, state)

    return {
        "adsr": lambda r, n: adsr.gated_adsr(
            torch.rand(r, n) > 0.5, *(leaf(r, high=9) for _ in range(4)), dtype=DOUBLE
        ),
        "allpass_chain": lambda r, n: allpass_chain.allpass_chain(leaf(r, n), leaf(r, n), leaf(r), 3, leaf(r, 3)),
        "allpass_chain, constant": lambda r, n: allpass_chain.allpass_chain(leaf(r, n), leaf(r, 1), leaf(r), 2),
        "antialiasing 1": lambda r, n: antialiasing.antialiased(leaf(r, n + 1), "tanh", 1),
        "antialiasing 2": lambda r, n: antialiasing.antialiased(leaf(r, n + 2), "hard", 2),
        "biquad": lambda r, n: biquad.biquad_cascade(leaf(r, n), leaf(r, 2, 6, low=0.1), leaf(r, 2, 2)),
        "comb": lambda r, n: comb.comb_filter(
            leaf(r, n),
            torch.arange(r) % 7 + 1,
            leaf(r, 2, high=0.4),
            leaf(r, 1, low=0.8),
            max_delay=9,
            state=(leaf(r, 9), leaf(r, 2)),
        ),
        "convolution": lambda r, n: convolution.convolve(leaf(r, 2, n), leaf(r, 1, 70), "zerophase"),
        "delay line, linear": line("linear", lambda r, n: leaf(r, n, high=9)),
        "delay line, cubic": line("cubic", lambda r, n: leaf(r, n, high=9)),
        "delay line, allpass": line("allpass", lambda r, n: leaf(r, n, high=9)),
        "delay line, constant": line("linear", lambda r, n: leaf(r, 1, high=9)),
        "delay network": lambda r, n: delay_network.delay_network(
            leaf(r, 2, n), network(r), (leaf(r, 3, 9), leaf(r, 3, 2, 2))
        ),
        "delay network, by frequency": lambda r, n: delay_network.delay_network_by_frequency(leaf(r, 2, n), network(r)),
        "feedback delay": lambda r, n: feedback_delay.feedback_delay(
            leaf(r, n), leaf(r, n, high=9), leaf(r), 8.0, leaf(r, 9), leaf(r)
        ),
        "feedback delay, constant": lambda r, n: feedback_delay.feedback_delay(leaf(r, n), leaf(r, 1), leaf(r), 8.0),
        "followed": follows(1, 5, sidechain=False),
        "followed, by another": follows(1, 5, sidechain=True),
        "followed, attack and release": follows(2, None, sidechain=False),
        "freeverb": reverb,
        "ladder": lambda r, n: ladder.saturating_ladder(leaf(r, n), leaf(r), leaf(r), leaf(r, 5), leaf(r, 4)),
        "mel distance": distances(of_each=False),
        "mel distance, a target for each": distances(of_each=True),
        "noise": lambda r, n: noise.white_noise(leaf(r, high=99), n, 2),
        "phase": lambda r, n: phase.running_phase(leaf(r, high=99), 1000.0, leaf(r, n), n, leaf(r, n), leaf(r)),
        "phase, constant": lambda r, n: phase.running_phase(leaf(r, high=99), 1000.0, leaf(r, 1), n),
        "ramp": lambda r, n: ramp.linear_ramp(leaf(r, n), leaf(r, n, high=9), leaf(r, 4)),
        "ramp, constant": lambda r, n: ramp.linear_ramp(leaf(r, n), leaf(r, 1, high=9), leaf(r, 4)),
        "onepole": lambda r, n: recursion.onepole(leaf(r, n), leaf(r), leaf(r)),
        "onepole, truncated": lambda r, n: recursion.onepole(leaf(r, n), leaf(r), leaf(r), 5),
        "ballistics": lambda r, n: recursion.ballistics(leaf(r, n), leaf(r), leaf(r), leaf(r)),
        "first order": lambda r, n: recursion.first_order(leaf(r, n), leaf(r, n), leaf(r)),
        "first order, constant": lambda r, n: recursion.first_order(leaf(r, n), leaf(r, 1), leaf(r)),
        "first order, complex": lambda r, n: recursion.first_order(leaf(r, n) + 0j, leaf(r, 1), leaf(r)),
        "segments": lambda r, n: segments.segments(leaf(r, 2, 4, high=3), (True, False), n),
        "state space": lambda r, n: state_space.state_space(
            leaf(r, n), leaf(r, 2, 2, high=0.4), leaf(r, 2), leaf(r, 2), leaf(r), leaf(r, 2)
        ),
        "wavetable": lambda r, n: table(leaf(r, n), leaf(r, n, low=0.01), leaf(r, n, high=2)),
        "wavetable, constant": lambda r, n: table(leaf(r, n), leaf(r, 1, low=0.01), leaf(r, 1)),
    }


def tensors_of(result):
    return [result] if isinstance(result, torch.Tensor) else [t for part in result for t in tensors_of(part)]


def others(argument):
    """The same with other sizes, or numbers that lead elsewhere."""
    if isinstance(argument, torch.Tensor):
        for axis, size in enumerate(argument.shape):
            longer = torch.cat([argument] + [argument.narrow(axis, 0, 1)] * 3, axis) if size else None
            yield from (argument.narrow(axis, 0, n) for n in {0, 1, size - 1} if 0 <= n < size)
            if longer is not None:
                yield from (longer.narrow(axis, 0, size + 1), longer)
            yield argument.sum(axis)
        yield argument[None]
        yield from (argument.half(), argument.to(torch.int32), argument.to(torch.complex128) + 1j)
        if argument.dtype == torch.int64:
            yield from (argument + 1000, argument - 1000, argument.double())
    elif isinstance(argument, bool):
        return
    elif isinstance(argument, int):
        yield from (-1000, -1, 0, 1, 1000)
    elif isinstance(argument, float):
        yield from (-1e9, 0.0, 1e9, float("nan"), float("inf"))
    elif isinstance(argument, list):
        yield from ([], argument[:-1], [*argument, argument[0]], [type(a)(1000 * a) for a in argument])


def main():
    import grafx.processors.core as core
    from grafx.processors.errors import ParameterError
    from torch.utils._python_dispatch import TorchDispatchMode

    for module in pkgutil.iter_modules(core.__path__):
        if not module.name.startswith("_"):
            import_module(f"grafx.processors.core.{module.name}")
    calls, faults = {}, []

    class Recorder(TorchDispatchMode):
        def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
            if operator.namespace == "grafx":
                calls.setdefault((operator, door), args)
            return operator(*args, **(kwargs or {}))

    for door, call in doors().items():
        for rows, length in SIZES:
            torch.manual_seed(0)
            try:
                with Recorder():
                    outputs = [y for y in tensors_of(call(rows, length)) if y.requires_grad]
                    sum((y * (1 + 1j)).real.sum() for y in outputs).backward()
            except Exception as error:
                faults.append(f"{door} of {rows} rows of {length} samples: {type(error).__name__}: {error}")
    known = {name for name in torch._C._dispatch_get_all_op_names() if name.startswith("grafx::")}
    faults += [f"{name} is not called here" for name in known - {operator.name() for operator, _ in calls}]
    tried = 0
    for (operator, door), args in calls.items():
        apart = [a.repeat_interleave(2, -1)[..., ::2] if isinstance(a, torch.Tensor) and a.ndim else a for a in args]
        for got, expected in zip(*(tensors_of(operator(*given)) for given in (apart, args)), strict=True):
            if not torch.equal(got, expected):
                faults.append(f"{operator.name()} ({door}) gives something else for tensors with gaps")
    for (operator, door), args in calls.items():
        for place, argument in enumerate(args):
            for other in others(argument):
                tried += 1
                try:
                    operator(*args[:place], other, *args[place + 1 :])
                except (ParameterError, RuntimeError, TypeError) as error:
                    if isinstance(error, ParameterError) or not isinstance(other, torch.Tensor):
                        continue
                    what = f"{type(error).__name__}: {error}"
                except Exception as error:
                    what = f"{type(error).__name__}: {error}"
                else:
                    continue
                given = tuple(other.shape) if isinstance(other, torch.Tensor) else other
                faults.append(f"{operator.name()} ({door}) with {given} as argument {place}: {what[:200]}")
    print(json.dumps({"tried": tried, "faults": faults}))


@pytest.mark.slow(seconds=70)
def test_no_operator_leaves_its_arrays(request):
    folder = request.config.cache.mkdir("kernels-with-checked-indices")
    variables = {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(folder), "NUMBA_OPT": "1", "OMP_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, __file__], env=os.environ | variables, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    result = json.loads(run.stdout.splitlines()[-1])
    assert result["tried"] > 1000 and not result["faults"], "\n".join(result["faults"])


if __name__ == "__main__":
    main()
