"""Checkpoints of trainings: tensors and plain data in one file of safetensors."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ...errors import EstimateError
from ...files import replacing
from ...text import printable

CHECKPOINT_FILE = "checkpoint.safetensors"


def save_checkpoint(path: Path, fingerprint: str, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write a checkpoint, in place of the one before."""
    metadata = {"fingerprint": fingerprint, "about": json.dumps(about)}
    with replacing(path) as partial:
        save_file({name: value.contiguous() for name, value in tensors.items()}, partial, metadata)


def load_checkpoint(path: Path, fingerprint: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Read a checkpoint: its tensors, and the plain data beside them. There may be none.

    Raises:
        EstimateError: It is of another training, or damaged.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            if metadata["fingerprint"] != fingerprint:
                raise EstimateError(
                    f"{printable(path)} is of a training with another recipe or other data: give the same ones to go on"
                    " with it, or another folder."
                )
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(metadata["about"])  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise EstimateError(f"{printable(path)} is damaged ({error}): remove it to start again.") from None
