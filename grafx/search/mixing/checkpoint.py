"""Checkpoints of searches, to resume them exactly."""

import os
import shutil
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ...data import GRAFX, load_grafx, save_grafx
from ...errors import SearchError
from ...files import locked, sync_folder, write_through
from ..conditions import in_usual_torch
from .search import Search
from .state import Found, SearchState

AVERAGE = "average"
OPTIMIZER_FILE = "optimizer.safetensors"
_FITTING, _GRAPHS = ("mixer", "optimizer", "average"), ("console", "best")
_COUNTERS = tuple(field.name for field in fields(SearchState) if field.name not in _FITTING + _GRAPHS)
_FOUND = tuple(field.name for field in fields(Found) if field.name != "G")


@in_usual_torch
def save_checkpoint(search: Search, folder: str | os.PathLike) -> None:
    """Write the state of a search.

    Written to a folder beside it first, which then takes its place, so there is a whole one at any time. One at a time
    does so.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.parent):
        _save(search.state, search.fingerprint, folder)


def _save(state: SearchState, fingerprint: str, folder: Path) -> None:
    fresh, old = folder.with_name(folder.name + ".new"), folder.with_name(folder.name + ".old")
    shutil.rmtree(fresh, ignore_errors=True)
    metadata = {name: getattr(state, name) for name in _COUNTERS} | {"fingerprint": fingerprint}
    save_grafx(state.mixer.graph(), fresh / "current", metadata=metadata)
    write_through(fresh / "current" / OPTIMIZER_FILE, save(_optimizer_tensors(state)))
    for name in _GRAPHS:
        if found := getattr(state, name):
            numbers = {field: getattr(found, field) for field in _FOUND}
            save_grafx(found.G, fresh / name, metadata=numbers)
    for part in (*fresh.iterdir(), fresh):
        sync_folder(part)
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.replace(old)
    fresh.replace(folder)
    sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


@in_usual_torch
def load_checkpoint(search: Search, folder: str | os.PathLike) -> bool:
    """Restore the state of a search.

    Args:
        search: A search made with the same arguments; the device may be another.
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
            search.state = _read(search, folder, G, tensors, metadata)
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


def _optimizer_tensors(state: SearchState) -> dict[str, Tensor]:
    tensors = {"z_drywet": state.mixer.z_drywet.detach()}
    for name, parameter in state.mixer.named_parameters():
        moments = state.optimizer.state.get(parameter, {})
        tensors |= {f"{name}/{key}": value for key, value in moments.items()}
    tensors |= {f"{name}/{AVERAGE}": value for name, value in state.average.items()}
    return tensors


def _read(search: Search, folder: Path, G: GRAFX, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> SearchState:
    mixer, optimizer = search.fitting(G)
    with torch.no_grad():
        mixer.z_drywet.copy_(tensors.pop("z_drywet"))
    # By name, because parameters come back in another order than they were made in.
    parameters = dict(mixer.named_parameters())
    for path, tensor in tensors.items():
        name, _, key = path.rpartition("/")
        # Adam counts its steps on the CPU.
        optimizer.state[parameters[name]][key] = tensor if key == "step" else tensor.to(parameters[name].device)
    counters: dict[str, Any] = {"rounds": []} | metadata  # which earlier searches did not write
    state = SearchState(mixer, optimizer, **{name: counters[name] for name in _COUNTERS})
    for name in _GRAPHS if state.round else ():
        found, _, numbers = load_grafx(folder / name)
        setattr(state, name, Found(found, **numbers))
    return state
