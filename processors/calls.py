"""Errors of calls with wrong arguments, in the name of the called class.

Python names the function that detects the error, which may be that of a base class or of an internal call.
"""

import inspect
import re
from abc import ABCMeta
from collections.abc import Callable
from functools import update_wrapper, wraps
from types import FunctionType
from typing import Any, TypeVar

Made = TypeVar("Made")
MISFIT = re.compile(r"(got an unexpected|got multiple|got some|missing|takes|too many) ")


class CalledByName(ABCMeta):
    """Metaclass whose constructor errors name the called class."""

    @property
    def __signature__(cls) -> inspect.Signature:
        signature = inspect.signature(cls.__init__)
        return signature.replace(parameters=list(signature.parameters.values())[1:])

    def __call__(cls: type[Made], *args: Any, **kwargs: Any) -> Made:
        try:
            return super().__call__(*args, **kwargs)
        except TypeError as error:
            function, _, problem = str(error).partition("() ")
            if not (function.endswith(".__init__") and MISFIT.match(problem)):
                raise
            part = function.removesuffix(".__init__")
            inherited = any(part == base.__qualname__ for base in cls.__mro__)
            where = "" if inherited else f", which its {part} does not take either"
            raise TypeError(f"{cls.__name__}() {problem}{where}") from error


def in_its_name(call: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a method that calls :meth:`forward` so that its argument errors name the object's class."""

    @wraps(call)
    def named(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return call(self, *args, **kwargs)
        except TypeError as error:
            forward = f"{type(self).forward.__qualname__}() "
            problem = str(error).removeprefix(forward)
            if not MISFIT.match(problem):
                raise
            raise TypeError(f"{type(self).__name__}.forward() {problem}") from error

    return named


def level_of_caller() -> int:
    """The ``stacklevel`` of a warning that a constructor gives, at the line outside this package that called it."""
    package = __name__.rpartition(".")[0]
    frame, level = inspect.currentframe(), 0
    while frame is not None and frame.f_globals.get("__name__", "").startswith(package):
        frame, level = frame.f_back, level + 1
    return level


def with_own_code(function: FunctionType) -> FunctionType:
    """Copy a method for one subclass, so that torch.compile does not count all classes as one function.

    Torch stops compiling a function after a few recompilations (``torch._dynamo.config.recompile_limit``).
    """
    copy = FunctionType(
        function.__code__.replace(),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    update_wrapper(copy, function)
    return copy
