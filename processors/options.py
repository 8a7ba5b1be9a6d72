"""What a processor was made with: how it is printed, and whose the state of a stream is."""

import inspect
import re
from collections.abc import Callable, Mapping
from functools import cache
from hashlib import blake2b
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
import torch.nn as nn
from torch import Tensor

from .contract import contract_of

Options = Mapping[str, Any]
Place = tuple[str, ...]
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
LEFT_OUT = "<left out>"
LONGEST = 60  # characters of a value in print
LINE = 88  # characters of what is printed before it is broken into lines
INDENT = "    "


@cache
def _arguments(cls: type) -> dict[str, inspect.Parameter]:
    """Arguments of a constructor, with those that it hands on by ``**`` to the constructors of its bases."""
    found: dict[str, inspect.Parameter] = {}
    for base in cls.__mro__:
        if "__init__" not in base.__dict__:
            continue
        own = list(inspect.signature(base.__dict__["__init__"]).parameters.values())[1:]
        for argument in own:
            if argument.kind is not argument.VAR_KEYWORD:
                found.setdefault(argument.name, argument)
        if all(argument.kind is not argument.VAR_KEYWORD for argument in own):
            break
    return found


def options_of_call(cls: type, args: tuple, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """What a constructor was called with, and the defaults of the rest: plain values, and modules as they are."""
    signature = inspect.signature(cls)
    given: dict[str, Any] = {}
    for name, value in signature.bind(*args, **kwargs).arguments.items():
        more = signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD
        given.update(value if more else {name: value})
    arguments = _arguments(cls)
    values = {name: a.default for name, a in arguments.items() if a.default is not a.empty} | given
    order = [name for name in arguments if name in values] + sorted(values.keys() - arguments.keys())
    return {name: _plain(values[name]) for name in order}


def identity_of(module: nn.Module) -> dict[str, Any]:
    """Whose a state is, in plain data: class, options and parameter sizes.

    Modules of another base tell no options but the shapes of their weights, and what they are made of.
    """
    options = vars(module).get("_options")
    return {
        "class": f"{type(module).__module__}.{type(module).__qualname__}",
        "options": _weights(module) if options is None else {name: _of_modules(options[name]) for name in options},
        "sizes": _plain(contract_of(module).parameter_size()),
    }


def _weights(module: nn.Module) -> dict[str, Any]:
    own = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    return {name: tuple(weight.shape) for name, weight in own} | {
        name: identity_of(child) for name, child in module.named_children()
    }


def difference(own: Any, other: Any, place: Place = ()) -> str | None:
    """Where what a state says about its processor differs first from this one, in words; None if nowhere."""
    if isinstance(own, Mapping) and isinstance(other, Mapping):
        if place[-1:] == ("options",):
            own, other = ({**dict.fromkeys([*own, *other], LEFT_OUT), **options} for options in (own, other))
        if list(own) == list(other):
            return next(filter(None, (difference(own[name], other[name], (*place, name)) for name in own)), None)
        own, other = tuple(own), tuple(other)
    if isinstance(own, tuple) and isinstance(other, tuple) and len(own) == len(other):
        if not any(difference(*pair) for pair in zip(own, other, strict=True)):
            return None
    elif isinstance(other, str | Real | None) and (own == other or (own != own and other != other)):
        return None
    *names, last = (name for name in ("it", *place) if name != "options")
    if last == "class" and isinstance(own, str) and isinstance(other, str):
        has, needs = (name.rpartition(".")[2] for name in (other, own))
        if has == needs:
            has, needs = other, own
        return f"{'.'.join(names[1:]) or 'it'} is that of a {has}, not of a {needs}"
    name = ".".join([*names[1:], last]) if names else "class"
    return f"its {name} is {_brief(other, in_line)}, not {_brief(own, in_line)}"


def written(cls: type, options: Options) -> str:
    """A processor as it is made: its class, and its options that are not at their defaults."""
    arguments, own = _arguments(cls), inspect.signature(cls).parameters
    parts: list[str] = []
    for name, value in options.items():
        argument = arguments.get(name)
        optional = argument is None or argument.default is not argument.empty
        if argument is not None and optional and _plain(argument.default) == value:
            continue
        if argument is not None and argument.kind is argument.VAR_POSITIONAL:
            parts += map(_brief, value)
        elif optional or name not in own or own[name].kind is inspect.Parameter.KEYWORD_ONLY:
            parts.append(f"{name}={_brief(value)}")
        else:
            parts.append(_brief(value))
    return in_lines(parts, f"{cls.__name__}(", ")")


def _plain(value: Any) -> Any:
    """A value that can be compared, copied and saved without the classes that it is made of; modules stay."""
    if value is None or isinstance(value, nn.Module) or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Mapping):
        # Where modules are named, their order may be that of the sound.
        ordered = any(isinstance(part, nn.Module) for part in value.values())
        names = list(value) if ordered else sorted(value, key=str)
        return {name if type(name) in (str, int) else str(name): _plain(value[name]) for name in names}
    if isinstance(value, list | tuple | nn.ModuleList):
        return tuple(map(_plain, value))
    if isinstance(value, set | frozenset):
        return tuple(sorted(ADDRESS.sub("", repr(part)) for part in value))
    if isinstance(value, Tensor | np.ndarray):
        return _fingerprint(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Real):
        return int(value) if isinstance(value, Integral) else float(value)
    return f"<{getattr(value, '__qualname__', None) or ADDRESS.sub('', repr(value)).strip('<>')}>"


def _of_modules(value: Any) -> Any:
    """A plain value, in which each module is replaced by its identity."""
    if isinstance(value, nn.Module):
        return identity_of(value)
    if isinstance(value, Mapping):
        return {name: _of_modules(part) for name, part in value.items()}
    return tuple(map(_of_modules, value)) if isinstance(value, tuple) else value


def _fingerprint(value: Tensor | np.ndarray) -> Any:
    """The number in an array of one, and else its type, its shape and a digest of what it holds."""
    kind = str(value.dtype).removeprefix("torch.")
    try:
        if value.ndim == 0:
            return _plain(value.item())
        kind = f"{kind} {' × '.join(map(str, value.shape))}"
        if isinstance(value, Tensor):
            plain = value.detach().cpu().resolve_conj().resolve_neg().clone(memory_format=torch.contiguous_format)
            value = plain.reshape(-1).view(torch.uint8).numpy()  # of whatever strides it had
        if value.dtype == object:
            return f"<{kind}>"
        content = np.ascontiguousarray(value).tobytes()
    except (RuntimeError, TypeError, ValueError):  # sparse, nested, or without data
        return f"<{kind}>"
    return f"<{kind} {blake2b(content, digest_size=6).hexdigest()}>"


def _brief(value: Any, arranged: Callable[[list[str], str, str], str] | None = None) -> str:
    """A value in one line, or members in one each; members as they are made themselves."""
    arranged = arranged or in_lines
    if isinstance(value, nn.Module):
        options = vars(value).get("_options")
        if options is not None and "__repr__" not in vars(type(value)):
            return written(type(value), options)
        text = repr(value)
        return text if "\n" not in text else f"{type(value).__name__}(…)"
    if isinstance(value, Mapping):
        return arranged([f"{name!r}: {_brief(part, arranged)}" for name, part in value.items()], "{", "}")
    if isinstance(value, tuple) and any(isinstance(part, nn.Module | Mapping) for part in value):
        return arranged([_brief(part, arranged) for part in value], "(", ",)")
    text = value if isinstance(value, str) and value[:1] == "<" else repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def in_line(parts: list[str], start: str, end: str) -> str:
    return f"{start}{', '.join(parts)}{end}"


def in_lines(parts: list[str], start: str, end: str) -> str:
    """Parts in one line, or in one each where they are long; a single one begins in the first."""
    line = in_line(parts, start, end)
    if len(parts) < 2 or (len(line) <= LINE and "\n" not in line):
        return line
    inner = ",\n".join(parts).replace("\n", f"\n{INDENT}")
    return f"{start}\n{INDENT}{inner},\n{end.lstrip(',')}"
