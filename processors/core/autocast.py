"""Full precision inside ``torch.autocast``, which recursions and spectra need."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

LOW = torch.float16, torch.bfloat16


def autocast_of(tree: Any) -> str | None:
    """Return the device type of the first tensor if autocast is enabled for it, otherwise ``None``."""
    tensors = tensors_of(tree)
    device = tensors[0].device.type if tensors else "cpu"
    if device == "meta":  # which has none, and torch would fail
        return None
    return device if torch.is_autocast_enabled(device) else None


def in_full_precision(device: str, function: Callable[..., Any], given: Any) -> Any:
    """Call a function, forward and backward, without autocast.

    Args:
        device: Device type with autocast enabled.
        function: Takes ``given``, with half-precision tensors converted to float32.
        given: Tensors in nested dicts, lists and tuples.
    """
    given = _widened(given)
    with torch.autocast(device, enabled=False):
        result = function(given)
    if torch.is_grad_enabled() and not torch.compiler.is_compiling():  # compiled code goes backward without autocast
        _go_back_without(device, tensors_of(result), tensors_of(given))
    return result


def tensors_of(tree: Any) -> list[Tensor]:
    """Yield all tensors of nested dicts, lists and tuples."""
    if isinstance(tree, Tensor):
        return [tree]
    found: list[Tensor] = []
    if isinstance(tree, (dict, list, tuple)):
        for part in tree.values() if isinstance(tree, dict) else tree:
            found += tensors_of(part)
    return found


def _widened(tree: Any) -> Any:
    if isinstance(tree, Tensor):
        return tree.float() if tree.dtype in LOW else tree
    if isinstance(tree, dict):
        return {name: _widened(part) for name, part in tree.items()}
    return type(tree)(map(_widened, tree)) if type(tree) in (list, tuple) else tree


def _go_back_without(device: str, outputs: Iterable[Tensor], inputs: Iterable[Tensor]) -> None:
    """Disable autocast while the steps from outputs back to inputs run."""
    seen = {tensor.grad_fn for tensor in inputs}
    ahead = [tensor.grad_fn for tensor in outputs]
    enabled: list[bool] = []

    def enter(grads: Any) -> None:
        enabled.append(torch.is_autocast_enabled(device))
        torch.set_autocast_enabled(device, False)

    def leave(grads: Any, results: Any) -> None:
        torch.set_autocast_enabled(device, enabled.pop())

    while ahead:
        node = ahead.pop()
        if node is not None and node not in seen:
            seen.add(node)
            node.register_prehook(enter)
            node.register_hook(leave)
            ahead += [following for following, _ in node.next_functions]
