"""Programs in Faust, compiled and played by cyfaust."""

from collections.abc import Mapping
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor

from ...errors import ExchangeError

BLOCK = 4096


def available() -> bool:
    """Whether cyfaust is installed."""
    return find_spec("cyfaust") is not None


class Engine:
    """A program that is compiled, by the interpreter of libfaust.

    Args:
        code: The program.
        sample_rate: In Hz.
        double: Whether it computes in double precision, in which sliders cannot be moved.

    Raises:
        ExchangeError: cyfaust is not installed, or the program is none.
    """

    def __init__(self, code: str, sample_rate: int, double: bool = True) -> None:
        try:
            import cyfaust.cyfaust as faust  # pyright: ignore[reportMissingImports]  a compiled module
        except ImportError:
            raise ExchangeError("Programs in Faust are played by cyfaust: pip install 'grafx[exchange]'.") from None
        self.factory = faust.create_dsp_factory_from_string("grafx", code, *(["-double"] if double else []))
        if self.factory is None:
            raise ExchangeError("The program does not compile: Faust has printed why.")
        self.dsp = self.factory.create_dsp_instance()
        self.dsp.init(sample_rate)
        self.type = np.float64 if double else np.float32

    def sliders(self) -> Mapping[str, float]:
        """Path of each slider to the value that it begins with."""
        return {parameter.path: parameter.init for parameter in self.dsp.params()}

    def move(self, path: str, value: float) -> None:
        """Move a slider."""
        assert self.type is np.float32, "in double precision cyfaust would write half of a number"
        self.dsp.set_param(path, value)

    def play(self, x: Tensor, latency: int = 0, num_samples: int = 0) -> Tensor:
        """Play from the beginning.

        Args:
            x: ``(C, L)``, the channels of all inputs.
            latency: How many samples of the output come too early to be heard.
            num_samples: L where there is no input.

        Returns:
            ``(C', L)``.
        """
        length = (x.shape[-1] if len(x) else num_samples) + latency
        given = np.zeros((max(1, len(x)), length), self.type)
        given[: len(x), : x.shape[-1]] = x.numpy()
        made = np.zeros((self.dsp.get_numoutputs(), length), self.type)
        self.dsp.instance_clear()
        for begin in range(0, length, BLOCK):
            part = np.ascontiguousarray(given[:, begin : begin + BLOCK])
            out = np.zeros((len(made), part.shape[-1]), self.type)
            self._compute(part, out)
            made[:, begin : begin + BLOCK] = out
        return torch.from_numpy(made[:, latency:])

    def _compute(self, x: np.ndarray, y: np.ndarray) -> None:
        try:
            self.dsp.compute(x.shape[-1], x, y)
        except ValueError:
            # cyfaust takes buffers of single precision alone, and hands on where they are: each number is a pair there.
            self.dsp.compute(x.shape[-1], x.view(np.float32), y.view(np.float32))
