"""Checks of options, inlets and raw parameters."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor

from .errors import ParameterError


class Parametric(Protocol):
    """Anything with raw parameters, such as a processor."""

    def parameter_size(self) -> Mapping[str, Any]:
        """Name to size."""
        ...


def check_optional(processor: Parametric, **parameters: object) -> None:
    """Refuse a parameter that is missing, and one that the options of a processor leave out.

    Args:
        processor: Anything with a ``parameter_size``.
        **parameters: The arguments of ``forward`` by name, or ``None``.

    Raises:
        ParameterError: A parameter is missing though its size is listed, or given though it is not.
    """
    sizes = processor.parameter_size()
    for name, value in parameters.items():
        if (value is None) == (name in sizes):
            fault = "needs" if value is None else "takes no"
            has = f"its raw parameters are {', '.join(sizes)}" if sizes else "it has no raw parameters"
            raise ParameterError(f"{type(processor).__name__} {fault} {name} with its options; {has}.")


def check_option(option: str, value: object, choices: tuple) -> None:
    """Refuse a value that is not one of the choices.

    Raises:
        ParameterError: The message names the option, the choices and the value.
    """
    if value not in choices:
        raise ParameterError(f"{option} must be one of {', '.join(map(repr, choices))}, not {value!r}.")


def check_known(option: str, value: object, choices: Iterable[str]) -> None:
    """Refuse a name that is not known.

    Raises:
        ParameterError: the message names the option, the value and the known names.
    """
    names = tuple(choices)
    if value not in names:
        raise ParameterError(f"Unknown {option} {value!r}: use one of {', '.join(names)}.")


def bind(
    processor: Parametric, inlets: Sequence[str], arguments: Sequence[Tensor], raw_parameters: Mapping[str, Tensor]
) -> tuple[Sequence[Tensor], dict[str, Tensor]]:
    """Separate the signals and the raw parameters among the arguments of a ``forward``.

    Args:
        processor: Anything with a ``parameter_size``.
        inlets: Names of its inlets; a signal for each comes first.
        arguments: Signals, then raw parameters in the order of ``parameter_size``. ``None`` stands for a parameter that
            the options exclude.
        raw_parameters: Raw parameters by name.

    Returns:
        The signals, and all raw parameters by name.

    Raises:
        ParameterError: A signal is missing, signals differ in batch size or length, or a raw parameter is missing,
            unknown or given twice.
    """
    who, names = type(processor).__name__, list(processor.parameter_size())
    signals, positional = arguments[: len(inlets)], arguments[len(inlets) :]
    if len(signals) < len(inlets):
        raise ParameterError(
            f"{who} needs a signal for each of its inlets {', '.join(inlets)}, but got {len(signals)}."
        )
    for inlet, signal in zip(inlets[1:], signals[1:], strict=True):
        if signal.ndim != 3 or signal.shape[::2] != signals[0].shape[::2]:
            raise ParameterError(
                f"The signal {tuple(signal.shape)} at the inlet {inlet!r} of {who} must be (batch, channels, samples) "
                f"with the batch size and the length of {tuple(signals[0].shape)} at {inlets[0]!r}."
            )
    positional = [value for value in positional if value is not None]
    if len(positional) > len(names):
        raise ParameterError(f"{who} takes {len(names)} raw parameters, {', '.join(names)}, but got {len(positional)}.")
    raw = dict(zip(names[: len(positional)], positional, strict=True))
    if twice := [name for name in raw if name in raw_parameters]:
        raise ParameterError(f"{who} got {', '.join(twice)} twice: once by position and once by name.")
    raw.update(raw_parameters)
    check_optional(processor, **{name: raw.get(name) for name in [*names, *raw]})
    return signals, {name: raw[name] for name in names}
