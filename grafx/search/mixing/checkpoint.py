"""Checkpoints of searches, to resume them exactly."""

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ...data import GRAFX, load_grafx, save_grafx
from ...errors import SearchError
from ...files import locked
from ..conditions import in_usual_torch
from .search import Found, Search

OPTIMIZER_FILE = "optimizer.safetensors"
_COUNTERS = ("round", "step", "step_in_round", "pruned", "second_chance", "headroom", "seconds", "history")
_FOUND = ("loss", "num_processors", "step")


@in_usual_torch
def save_checkpoint(search: Search, folder: str | os.PathLike) -> None:
    """Write the state of a search.

    Written to a folder beside it first, which then takes its place, so there is a whole one at any time. One at a time
    does so.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.parent):
        _save(search, folder)


def _save(search: Search, folder: Path) -> None:
    fresh, old = folder.with_name(folder.name + ".new"), folder.with_name(folder.name + ".old")
    shutil.rmtree(fresh, ignore_errors=True)
    metadata = {name: getattr(search, name) for name in _COUNTERS} | {"fingerprint": search.fingerprint}
    save_grafx(search.mixer.graph(), fresh / "current", metadata=metadata)
    (fresh / "current" / OPTIMIZER_FILE).write_bytes(save(_optimizer_tensors(search)))
    for name in ("console", "best"):
        if found := getattr(search, name):
            numbers = {field: getattr(found, field) for field in _FOUND}
            save_grafx(found.G, fresh / name, metadata=numbers)
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        os.replace(folder, old)
    os.replace(fresh, folder)
    shutil.rmtree(old, ignore_errors=True)


@in_usual_torch
def load_checkpoint(search: Search, folder: str | os.PathLike) -> bool:
    """Restore the state of a search.

    Args:
        search: A search made with the same audio, names, groups and options.
        folder: What :func:`save_checkpoint` wrote.

    Returns:
        Whether there was a checkpoint.

    Raises:
        SearchError: The checkpoint is of another search, or damaged.
    """
    folder = Path(folder)
    if not folder.parent.is_dir():
        return False
    with locked(folder.parent):
        return _load(search, folder)


def _load(search: Search, folder: Path) -> bool:
    if not folder.exists():
        folder = folder.with_name(folder.name + ".old")
    if not folder.exists():
        return False
    try:
        G, _, metadata = load_grafx(folder / "current")
        tensors = load((folder / "current" / OPTIMIZER_FILE).read_bytes())
        same = metadata["fingerprint"] == search.fingerprint
        if same:
            _restore(search, folder, G, tensors, metadata)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        raise SearchError(f"{folder} is damaged ({error}): remove it to start again.") from error
    if not same:
        raise SearchError(
            f"{folder} belongs to a search with other audio or options: give the same ones to go on with it, or another"
            " output folder to start again."
        )
    return True


def remove_checkpoint(folder: str | os.PathLike) -> None:
    """Remove a checkpoint of :func:`save_checkpoint`, including the remains of an interrupted save."""
    folder = Path(folder)
    for suffix in (".new", ".old", ""):
        shutil.rmtree(folder.with_name(folder.name + suffix), ignore_errors=True)


def _optimizer_tensors(search: Search) -> dict[str, torch.Tensor]:
    state = search.optimizer.state
    tensors = {"z_drywet": search.mixer.z_drywet.detach()}
    for name, parameter in search.mixer.named_parameters():
        tensors |= {f"{name}/{key}": value for key, value in state.get(parameter, {}).items()}
    return tensors


def _restore(search: Search, folder: Path, G: GRAFX, tensors: dict[str, Any], metadata: dict[str, Any]) -> None:
    search.take(G)
    with torch.no_grad():
        search.mixer.z_drywet.copy_(tensors.pop("z_drywet"))
    # By name, because parameters come back in another order than they were made in.
    parameters = dict(search.mixer.named_parameters())
    for path, tensor in tensors.items():
        name, _, key = path.rpartition("/")
        search.optimizer.state[parameters[name]][key] = tensor
    for name in _COUNTERS:
        setattr(search, name, metadata[name])
    for name in ("console", "best") if search.round else ():
        found, _, numbers = load_grafx(folder / name)
        setattr(search, name, Found(found, **numbers))
