"""A graph as live objects of pedalboard."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn as nn
from torch import Tensor

from ...data import GRAFX
from ...errors import AudioError
from ...text import free_name
from ..carried import Carried
from .live import Process, function_of
from .plan import BoardPlan, plan_of, played

SAMPLE_RATE = 44100


class Mixdown:
    """Boards, and NumPy for sums and sends, that process stems as a graph does.

    Attributes:
        boards: Each ``pedalboard.Pedalboard`` by the name of its chain, in the order of the signal. Their plug-ins can
            be set like any others.
        carried: How each node was carried over.
        names: Those of the stems, in their order.
        sample_rate: In Hz, that of what is processed.
    """

    def __init__(self, plan: BoardPlan) -> None:
        self.plan = plan
        self.carried: tuple[Carried, ...] = tuple(plan.carried)
        self.names, self.sample_rate = tuple(plan.names), plan.sample_rate
        self.boards: dict[str, Any] = {}
        self._functions: list[Process] = []
        for step in plan.steps:
            boards: list[Any] = []
            self._functions.append(function_of(step.stages, plan.sample_rate, boards))
            for board in boards:
                self.boards[free_name(step.name, self.boards.__contains__, "_")] = board

    def __call__(self, stems: Tensor | np.ndarray) -> Any:
        """Mix stems.

        Args:
            stems: ``(K, 2, L)``, or mono ``(K, 1, L)``, in the order of ``names``.

        Returns:
            The mix ``(2, L)``; with several ``out`` nodes ``(N, 2, L)``. A tensor for a tensor.

        Raises:
            AudioError: There are more or fewer stems, or other channels.
        """
        given = stems.detach().cpu().numpy() if isinstance(stems, Tensor) else np.asarray(stems)
        if given.ndim != 3 or given.shape[0] != len(self.names) or given.shape[1] not in (1, 2):
            raise AudioError(
                f"Mixdown takes stems ({len(self.names)}, 2, samples), for {', '.join(self.names)}, not {given.shape}."
            )
        length, ahead = given.shape[-1], self.plan.ahead
        signals = np.pad(
            np.broadcast_to(given, (len(given), 2, length)).astype(np.float32), ((0, 0), (0, 0), (0, ahead))
        )
        now: dict[str, np.ndarray] = {}
        for step, function in zip(self.plan.steps, self._functions, strict=True):
            heard = signals[step.sources] if isinstance(step.sources, int) else sum(now[name] for name in step.sources)
            now[step.name] = function(np.ascontiguousarray(heard))
        mixed = np.stack([now[name][:, :length] for name in self.plan.outputs])
        mixed = mixed[0] if len(mixed) == 1 else mixed
        return torch.from_numpy(np.ascontiguousarray(mixed)) if isinstance(stems, Tensor) else mixed


def to_pedalboard(
    G: GRAFX,
    processors: Mapping[str, nn.Module] | None = None,
    sample_rate: int = SAMPLE_RATE,
    *,
    stems: Tensor | None = None,
    responses: bool = False,
) -> Mixdown:
    """Carry a graph over to boards of pedalboard.

    Gains, filters, delays, clipping and containers sound the same; linear processors without plug-ins are convolutions
    with their impulse responses; dynamics, zero-phase equalizers and learned reverbs get settings that are fitted to
    the sound of each node.

    Args:
        G: The graph, whose nodes hold their parameters: raw tensors, or physical values.
        processors: Node type to processor, in addition to those of a console, the classes of
            :mod:`grafx.processors` and :func:`counterparts`, or in their place.
        sample_rate: In Hz.
        stems: ``(K, C, L)``, for the ``in`` nodes in id order: what is fitted is fitted to what each node hears of
            them; by default of noise.
        responses: Whether linear processors that have no plug-in of their kind are convolutions with their impulse
            responses, which sound the same, rather than plug-ins whose settings one can turn.

    Returns:
        A function of stems, with the boards that it runs.

    Raises:
        ExchangeError: A node cannot be carried over: which one, why, what to do.
    """
    from .counterparts import counterparts

    parts, _, sounds = played(G, sample_rate, stems, {**counterparts(sample_rate), **(processors or {})})
    return Mixdown(plan_of(G, parts, sounds, sample_rate, responses))
