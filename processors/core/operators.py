"""Declaration of functions with custom gradients to torch: compiled kernels, and formulas of tensors.

:func:`operator` declares a compiled kernel, :func:`formula` a function of torch operations. Both handle cases that
torch leaves open: a missing derivative raises an error with an explanation, and is never taken for zero; and
``torch.func.grad``, ``vjp``, ``jacrev`` and ``vmap`` are supported.
"""

from collections.abc import Callable, Sequence
from inspect import Parameter, Signature, signature
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch._C import _are_functorch_transforms_active, _AutoDispatchBelowAutograd
from torch._C._functorch import is_legacy_batchedtensor
from torch.autograd import Function, forward_ad

from ..errors import DerivativeError
from .backends import memory
from .broadcasting import broadcast_shapes

LIBRARY = torch.library.Library("grafx", "FRAGMENT")


class Operator:
    """Operation opaque to torch, like ``torch.library.custom_op``, with half its call time.

    Args:
        name: Name in ``torch.ops.grafx``.
        run: A function with annotations. It neither changes its arguments nor returns one.
    """

    def __init__(self, name: str, run: Callable[..., Any]) -> None:
        self.name = name
        LIBRARY.define(name + torch.library.infer_schema(run, mutates_args=()), tags=(torch.Tag.pt2_compliant_tag,))
        LIBRARY.impl(name, run, "CompositeExplicitAutograd")
        LIBRARY.impl(name, self._recorded, "Autograd", with_keyset=True)
        torch.library.register_vmap(f"grafx::{name}", _one_by_one(self), lib=LIBRARY)
        self._overload = getattr(torch.ops.grafx, name).default
        self.register_autograd(lambda ctx, *grads: _refuse_second(name), lambda ctx, inputs, output: None)

    def __call__(self, *arguments: Any) -> Any:
        if not torch.compiler.is_compiling() and _are_functorch_transforms_active():
            return self._transformed.apply(*arguments)
        return self._overload(*arguments)

    def register_fake(self, fake: Callable[..., Any]) -> Callable[..., Any]:
        """Register the output shapes and types, as a function of the arguments."""
        return torch.library.register_fake(f"grafx::{self.name}", fake, lib=LIBRARY)

    def register_autograd(self, backward: Callable[..., Any], setup_context: Callable[..., None]) -> None:
        """Register the gradient, in the two parts of ``torch.autograd.Function``. Without it, gradients are refused."""
        overload, name = self._overload, self.name

        class Node(Function):
            @staticmethod
            def forward(ctx: Any, *arguments: Any) -> Any:
                output = overload(*arguments)
                setup_context(ctx, arguments, output)
                return output

            @staticmethod
            def backward(ctx: Any, *grads: Tensor) -> Any:
                return backward(ctx, *grads)

        class Transformed(Node):
            """Implementation for ``torch.func``, which is slower to call."""

            @staticmethod
            def forward(*arguments: Any) -> Any:
                return overload(*arguments)

            @staticmethod
            def jvp(ctx: Any, *tangents: Tensor) -> NoReturn:
                _refuse_forward_mode(name)

        Transformed.setup_context, Transformed.vmap = staticmethod(setup_context), staticmethod(_one_by_one(self))
        Node.__name__ = Transformed.__name__ = name
        self._node, self._transformed = Node, Transformed

    def _recorded(self, keyset: Any, *arguments: Any) -> Any:
        tensors = [value for value in arguments if isinstance(value, Tensor)]
        if forward_ad._current_level >= 0 and any(_has_tangent(tensor) for tensor in tensors):
            _refuse_forward_mode(self.name)
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
            return self._node.apply(*arguments)
        with _AutoDispatchBelowAutograd():
            return self._overload.redispatch(keyset & torch._C._after_autograd_keyset, *arguments)


def empty(like: Tensor, dtype: torch.dtype | None = None, shape: Sequence[int] | None = None) -> Tensor:
    """A tensor that is still to be filled, by default of the same shape and type; see :mod:`.backends.memory`."""
    shape = like.shape if shape is None else shape
    if type(like) is Tensor and like.device.type == "cpu" and not torch.compiler.is_compiling():
        return memory.empty(tuple(shape), dtype or like.dtype)
    return like.new_empty(shape, dtype=dtype)


def place_for(*operands: Tensor) -> Tensor | None:
    """An ``out=`` for an operation on tensors that broadcast, or ``None`` where torch is to make the result itself."""
    if max(tensor.numel() for tensor in operands) < memory.LEAST // 16:
        return None  # it takes longer to ask than to allocate
    alike = len({(tensor.dtype, tensor.device) for tensor in operands}) == 1
    if not alike or not is_plain(*operands):
        return None
    return empty(operands[0].detach(), shape=broadcast_shapes(*(tensor.shape for tensor in operands)))


def operator(name: str) -> Callable[[Callable[..., Any]], Operator]:
    """Declare a function as an operator of torch, see :class:`Operator`."""
    return lambda run: Operator(name, run)


def formula(
    value: Callable[..., Tensor], gradient: Callable[..., tuple], name: str, surrogate: bool = False
) -> Callable[..., Tensor]:
    """Function with a manual gradient, which makes fewer passes over memory than autograd.

    All other derivatives, such as second ones, are those of autograd; except those of a surrogate, whose gradient is
    not its derivative, which are refused.

    Args:
        value: The function, of torch operations on tensors. It changes no argument.
        gradient: Computes the gradient for each argument from the gradient of the output, the arguments that need one,
            and the arguments.
        name: Name for messages.
        surrogate: Whether the gradient is, by design, not that of ``value``.
    """

    class Slope(Function):
        """Gradient of a surrogate: constant unless differentiated, which is refused."""

        @staticmethod
        def forward(needed: tuple[bool, ...], grad: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
            found = zip(gradient(grad, needed, *arguments), arguments, needed, strict=True)
            return tuple(
                torch.zeros_like(a) if slope is None else slope.view_as(slope) for slope, a, yes in found if yes
            )

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
            pass

        @staticmethod
        def backward(ctx: Any, *grads: Tensor) -> NoReturn:
            _refuse_second(name)

        @staticmethod
        def jvp(ctx: Any, *tangents: Tensor) -> NoReturn:
            _refuse_forward_mode(name)

    Slope.vmap = staticmethod(_one_by_one(Slope.apply))

    class Node(Function):
        @staticmethod
        def forward(ctx: Any, *arguments: Any) -> Tensor:
            _keep(ctx, arguments)
            return value(*arguments)

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> tuple:
            arguments, needed = _kept(ctx), tuple(ctx.needs_input_grad)
            transformed = _are_functorch_transforms_active()
            if torch.compiler.is_compiling() or not (torch.is_grad_enabled() or transformed):
                try:
                    return gradient(grad, needed, *arguments)
                except RuntimeError as error:
                    if not torch.compiler.is_compiling() and is_legacy_batchedtensor(grad):
                        _refuse_several(name, error)
                    raise
            if not surrogate:
                return _by_autograd(value, arguments, needed, grad)
            found = iter(Slope.apply(needed, grad, *arguments))
            return tuple(next(found) if needs else None for needs in needed)

    class Transformed(Node):
        @staticmethod
        def forward(*arguments: Any) -> Tensor:
            return value(*arguments)

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
            _keep(ctx, inputs)

        @staticmethod
        def jvp(ctx: Any, *tangents: Tensor) -> NoReturn:
            _refuse_forward_mode(name)

    Transformed.vmap = staticmethod(_one_by_one(Transformed.apply))
    Node.__name__ = Transformed.__name__ = name
    # Compilation counts the parameters to find out whether ctx is one of them.
    ctx = Parameter("ctx", Parameter.POSITIONAL_OR_KEYWORD)
    Node.forward.__signature__ = Signature([ctx, *signature(value).parameters.values()])

    def call(*arguments: Any) -> Tensor:
        if torch.compiler.is_compiling() or not (_are_functorch_transforms_active() or forward_ad._current_level >= 0):
            return Node.apply(*arguments) if torch.is_grad_enabled() else value(*arguments)
        return Transformed.apply(*arguments) if surrogate else value(*_alike(arguments))

    return call


def is_plain(*tensors: Tensor) -> bool:
    """Whether tensors are nothing but numbers here and now, which kernels may access."""
    recorded = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    return not recorded and is_untransformed(*tensors)


def is_untransformed(*tensors: Tensor) -> bool:
    """Whether tensors hold numbers here and now, of which at most the gradient is recorded."""
    if torch.compiler.is_compiling() or _are_functorch_transforms_active() or forward_ad._current_level >= 0:
        return False
    return all(type(tensor) in (Tensor, torch.nn.Parameter) for tensor in tensors)


def _one_by_one(function: Callable[..., Any]) -> Callable[..., tuple]:
    """Implement ``torch.func.vmap`` over a batch. For speed, use rows as the batch."""

    def run(info: Any, in_dims: Sequence[Any], *arguments: Any) -> tuple[Any, Any]:
        pairs = list(zip(arguments, in_dims, strict=True))
        results = [
            function(*(a.select(dim, i) if isinstance(dim, int) else a for a, dim in pairs))
            for i in range(info.batch_size)
        ]
        if isinstance(results[0], Tensor):
            return torch.stack(results), 0
        return tuple(map(torch.stack, zip(*results, strict=True))), (0,) * len(results[0])

    return run


def _keep(ctx: Any, arguments: tuple) -> None:
    ctx.others = [None if isinstance(value, Tensor) else value for value in arguments]
    ctx.are_tensors = [isinstance(value, Tensor) for value in arguments]
    ctx.save_for_backward(*[value for value in arguments if isinstance(value, Tensor)])


def _kept(ctx: Any) -> list[Any]:
    tensors = list(ctx.saved_tensors)  # once, as checkpointing demands
    return [
        tensors.pop(0) if is_tensor else value for is_tensor, value in zip(ctx.are_tensors, ctx.others, strict=True)
    ]


def _by_autograd(value: Callable[..., Tensor], arguments: Sequence[Any], needed: Sequence[bool], grad: Tensor) -> tuple:
    # Each argument by itself, though one may depend on another.
    apart = [a.view_as(a) if isinstance(a, Tensor) else a for a in arguments]
    wanted = [a for a, needs in zip(apart, needed, strict=True) if needs]
    slopes = iter(torch.autograd.grad(value(*apart), wanted, grad, create_graph=True, materialize_grads=True))
    return tuple(next(slopes) if needs else None for needs in needed)


def _alike(arguments: Sequence[Any]) -> list[Any]:
    """Wrap all in the same transforms, so that ``value`` may write results of one tensor into another."""
    zeros = [a.real.flatten()[:0].sum() for a in arguments if isinstance(a, Tensor)]
    zero = sum(zeros[1:], zeros[0])
    return [a + zero.to(a.dtype) if isinstance(a, Tensor) else a for a in arguments]


def _has_tangent(tensor: Tensor) -> bool:
    return forward_ad.unpack_dual(tensor).tangent is not None


def _refuse_second(name: str) -> NoReturn:
    raise DerivativeError(
        f"The gradient of {name} cannot be differentiated again: take second derivatives from differences of gradients."
    )


def _refuse_several(name: str, error: RuntimeError) -> NoReturn:
    raise DerivativeError(
        f"The gradient of {name} is not taken of several outputs at once (is_grads_batched, vectorize=True): leave "
        "that out, or use torch.func.jacrev."
    ) from error


def _refuse_forward_mode(name: str) -> NoReturn:
    raise DerivativeError(
        f"{name} has no derivative in forward mode (torch.func.jvp, jacfwd and hessian, torch.autograd.forward_ad): "
        "take it in reverse, by torch.func.vjp or jacrev, or torch.autograd.grad."
    )
