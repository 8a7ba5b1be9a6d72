"""What a search takes of its user's own, checked before work is spent: a graph, processors, a loss, a device."""

import copy
import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from ... import trees
from ...audio import audio_digest
from ...data import GRAFX
from ...data.attributes import BYPASS, WEIGHT, held_settings
from ...data.configs import BUILT_IN_TYPES
from ...errors import AudioError, GraphError, SearchError
from ...processors.contract import contract_of
from ...processors.options import ADDRESS, identity_of
from ...trees import map_tensors
from ..arguments import tensor
from ..conditions import plain_tensor
from .console import with_owners
from .weighted import weighted

Loss = Callable[[Tensor, Tensor], Tensor]
"""Function from an estimate and a target, both ``(2, samples)``, to a scalar."""


def check_audio(stems: Tensor, mix: Tensor, names: Sequence[str], min_samples: int) -> None:
    """Refuse stems and a mix that do not fit each other, or in which there is nothing to match.

    Raises:
        AudioError: The message names the signal, and what it should be.
    """
    stems, mix = tensor("stems", stems), tensor("mix", mix)
    shapes = f"stems {tuple(stems.shape)} and mix {tuple(mix.shape)}"
    if stems.ndim != 3 or stems.shape[1] != 2 or mix.shape != stems.shape[1:] or len(names) != len(stems):
        raise AudioError(
            f"A search needs stems of shape ({len(names)}, 2, samples), one for each name, and a mix of shape"
            f" (2, samples), not {shapes}."
        )
    if stems.dtype != torch.float32 or mix.dtype != torch.float32:
        raise AudioError(f"A search needs float32 stems and mix, not {stems.dtype} and {mix.dtype}: convert them.")
    if mix.shape[-1] <= min_samples:
        raise AudioError(f"The audio has {mix.shape[-1]} samples, but a search needs more than {min_samples}.")
    for name, signal in (*zip(names, stems, strict=True), ("mix", mix)):
        if not signal.isfinite().all():
            raise AudioError(f"'{name}' holds NaN or infinity: repair or export it again.")
    if not mix.any():
        raise AudioError("The mix is silent: there is nothing to match.")
    if not stems.any():
        raise AudioError("All stems are silent: check that the right files were given.")


def own_processors(processors: Mapping[str, nn.Module] | None) -> dict[str, nn.Module]:
    """Copy processors, :func:`.weighted`, so that a search neither trains nor moves those of the caller.

    Raises:
        SearchError: They are no mapping, or one cannot be used. The message names its type.
    """
    if processors is None:
        return {}
    if not isinstance(processors, Mapping):
        raise SearchError(
            f"processors must map node types to processors, but is a {type(processors).__name__}: give a dict."
        )
    return {node_type: _own_processor(node_type, processor) for node_type, processor in processors.items()}


def _own_processor(node_type: Any, processor: Any) -> nn.Module:
    place = f"The processor of type {node_type!r}"
    if not isinstance(node_type, str) or not node_type or "." in node_type or node_type in BUILT_IN_TYPES:
        raise SearchError(
            f"processors has the node type {node_type!r}, but needs names: texts without dots, other than"
            f" {', '.join(BUILT_IN_TYPES)}."
        )
    if isinstance(processor, type):
        raise SearchError(f"{place} is the class {processor.__name__}: give an instance of it.")
    if not isinstance(processor, nn.Module) or not callable(getattr(processor, "parameter_size", None)):
        raise SearchError(
            f"{place} is a {type(processor).__name__}, but must be a torch.nn.Module with a method parameter_size, as"
            " those of grafx.processors are."
        )
    try:
        own = copy.deepcopy(weighted({node_type: processor})[node_type]).requires_grad_(False)
    except ValueError as error:
        raise type(error)(f"{place} cannot be searched with: {error}") from None
    if len(outlets := contract_of(own).outlets) > 1:
        raise SearchError(
            f"{place} has {len(outlets)} outlets, but its input could only take the place of one: use one with a single"
            " outlet."
        )
    return own


def described(processors: Mapping[str, nn.Module]) -> list[Any]:
    """What tells processors apart, in plain data: their classes, options and weights."""
    return [(node_type, identity_of(module), _digest(module)) for node_type, module in sorted(processors.items())]


def _digest(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, weight in sorted(module.state_dict().items()):
        if isinstance(weight, Tensor):
            digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
            digest.update(trees.content_of(weight))
    return digest.hexdigest()


def own_loss(loss: Any, gain: float, device: torch.device) -> Loss:
    """A loss that gets its mixes on a device and at the reference loudness, and must return a finite scalar.

    Args:
        loss: Function of an estimate and a target.
        gain: Factor that brings mixes to the reference loudness.
        device: Where it computes.

    Raises:
        SearchError: It is no function.
    """
    if isinstance(loss, type) or not callable(loss):
        raise SearchError(f"loss is {loss!r:.80}, but must be a function loss(estimate, target).")

    def judge(estimate: Tensor, target: Tensor) -> Tensor:
        value = loss(gain * estimate.to(device), gain * target.to(device))
        if not isinstance(value, Tensor) or value.ndim or not value.is_floating_point():
            raise SearchError(
                f"The loss returned {_seen(value)}, but must return a scalar: a real torch.Tensor without axes, as"
                " mean() makes one."
            )
        if not value.isfinite():
            raise SearchError(
                f"The loss returned {value.item()}, but must be finite for every estimate: keep divisors and arguments"
                " of logarithms away from 0."
            )
        return value

    return judge


def check_gradient(loss: Loss, estimate: Tensor, target: Tensor) -> None:
    """Refuse a loss that cannot be descended.

    Raises:
        SearchError: It has no finite gradient with respect to the estimate.
    """
    estimate = estimate.detach().clone().requires_grad_()
    value = loss(estimate, target)
    gradient = torch.autograd.grad(value, estimate, allow_unused=True)[0] if value.requires_grad else None
    if gradient is None:
        raise SearchError(
            "The loss has no gradient with respect to the estimate, its first argument: compute it of that by torch"
            " operations, without detach(), item() or no_grad()."
        )
    if not gradient.isfinite().all():
        raise SearchError(
            "The gradient of the loss holds NaN or infinity for the plain sum of the stems: keep divisors and arguments"
            " of roots and logarithms away from 0."
        )


def _seen(value: Any) -> str:
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    return f"a tensor of shape {tuple(value.shape)} and type {str(value.dtype).removeprefix('torch.')}"


def loss_name(loss: Any) -> Any:
    """What tells losses apart, in plain data."""
    if isinstance(loss, nn.Module):
        return identity_of(loss), _digest(loss)
    name = getattr(loss, "__qualname__", None)
    return f"{loss.__module__}.{name}" if name else ADDRESS.sub("", repr(loss))


def own_device(device: Any) -> torch.device:
    """Convert to a device on which this machine can compute; by default the CPU.

    Raises:
        SearchError: There is no such device.
    """
    found = known_device(device)
    try:
        torch.zeros(1, device=found).cpu()  # which may be known to torch, but not be here
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise _refused(device, error) from None
    return found


def known_device(device: Any) -> torch.device:
    """Convert to a device that some machine may have; by default the CPU.

    Raises:
        SearchError: There is no such device.
    """
    try:
        return torch.device("cpu" if device is None else device)
    except (RuntimeError, TypeError) as error:
        raise _refused(device, error) from None


def _refused(device: Any, error: Exception) -> SearchError:
    reason = str(error).partition("\n")[0].rstrip(".")
    return SearchError(f"device is {str(device)!r}, which cannot be used here ({reason}): give 'cpu'.")


def own_callbacks(callbacks: Any) -> tuple[Callable[[Any], Any], ...]:
    """Convert an iterable of functions to a tuple.

    Raises:
        SearchError: It is no such iterable.
    """
    given = tuple(callbacks) if isinstance(callbacks, Iterable) else None
    if given is None or not all(map(callable, given)):
        raise SearchError(f"callbacks are {callbacks!r:.80}, but must be functions, in a list: each takes a Progress.")
    return given


def own_graph(G: Any, names: Sequence[str], known: Collection[str]) -> GRAFX:
    """Check and copy a graph for a search: with owners, names of inputs, and without what is bypassed.

    Args:
        G: The graph.
        names: Those of the stems.
        known: Types that have a processor.

    Raises:
        GraphError: It is no such graph.
    """
    if not isinstance(G, GRAFX):
        raise GraphError(f"A search takes a GRAFX, not a {type(G).__name__}.")
    types = [data.get("node_type") for _, data in G.nodes(data=True)]
    if types.count("in") != len(names) or types.count("out") != 1:
        raise GraphError(
            f"A search of {len(names)} stems takes a graph with as many inputs and one output, not"
            f" {types.count('in')} and {types.count('out')}."
        )
    if foreign := sorted({str(t) for t in types} - {*BUILT_IN_TYPES, *known}):
        raise GraphError(
            f"A search knows the processors {', '.join(known)}, but not {', '.join(foreign)}: replace or bypass such"
            " nodes, or give their processors by the argument 'processors'."
        )
    G = with_owners(_with_inputs_named(G.copy(), names))
    G.invalid_op = "error"
    for node, data in list(G.nodes(data=True)):
        if data.get(BYPASS) is True:
            G.bypass(node)
        else:
            data["parameters"] = map_tensors(data.get("parameters"), _plain)
    return G


def _with_inputs_named(G: GRAFX, names: Sequence[str]) -> GRAFX:
    """Name the inputs that have no names after the stems, and refuse those that have their names in another order."""
    inputs = [data for _, data in sorted(G.nodes(data=True)) if data["node_type"] == "in"]
    given = [data.get("name") for data in inputs]
    if given != list(names) and sorted(map(str, given)) == sorted(names):
        raise GraphError(
            f"The inputs of the graph are {', '.join(map(str, given))}, but the stems come as {', '.join(names)}: give"
            " them in the same order."
        )
    for data, name in zip(inputs, names, strict=True):
        if data.get("name") is None and name not in given:
            data["name"] = name
    return G


def _plain(value: Tensor) -> Tensor:
    """A tensor as a search starts from, on the CPU."""
    value = plain_tensor(value).cpu()
    return value.float() if value.is_floating_point() else value


def contents(G: GRAFX) -> list[Any]:
    """All that a graph says, in plain data."""
    nodes = sorted(G.nodes(data=True))
    said = [(i, *(data.get(name) for name in ("node_type", "name", "owner", WEIGHT))) for i, data in nodes]
    values = [
        (i, path, audio_digest(value) if isinstance(value, Tensor) else value)
        for i, data in nodes
        for tree in (data.get("parameters"), held_settings(data))
        for path, value in trees.items(tree or {})
    ]
    return [said, values, sorted((*edge[:2], sorted(edge[2].items())) for edge in G.edges(data=True))]
