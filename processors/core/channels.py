"""Channel modes: the assignment of a processor's filters to the channels of its signals."""

from collections.abc import Callable

from torch import Tensor

from ..arguments import check_known
from ..errors import ParameterError
from .broadcasting import is_one_of
from .convolution import convolve
from .midside import lr_to_ms, ms_to_lr

NUM_FILTER_CHANNELS = {"mono": 1, "stereo": 2, "midside": 2, "pseudo_midside": 2}


def num_filter_channels(processor_channel: str) -> int:
    """Return the number of filters per node in a channel mode.

    Args:
        processor_channel: ``"mono"`` (one filter for all channels), ``"stereo"`` (left, right), ``"midside"`` or
            ``"pseudo_midside"`` (mid, side).

    Raises:
        ParameterError: The mode is unknown.
    """
    check_known("processor_channel", processor_channel, NUM_FILTER_CHANNELS)
    return NUM_FILTER_CHANNELS[processor_channel]


def filter_channels(
    x: Tensor,
    filters: Tensor,
    processor_channel: str,
    apply: Callable[[Tensor, Tensor], Tensor] = convolve,
) -> Tensor:
    """Apply filters to channels.

    ``"mono"`` applies one filter to all channels and ``"stereo"`` one to each; a mono signal becomes stereo.
    ``"midside"`` applies them to mid and side of a stereo signal. For ``"pseudo_midside"`` the filters are converted
    instead of the signal, see :func:`filters_of_channels`.

    Args:
        x: Signals ``(B, C, L)``.
        filters: ``(B, 1 or 2, N)``.
        processor_channel: One of the four names.
        apply: Function of signals and filters.

    Returns:
        The filtered signals.

    Raises:
        ParameterError: ``"midside"`` with a signal that is not stereo.
    """
    if processor_channel == "midside":
        check_stereo(x, "A midside processor")
        return ms_to_lr(apply(lr_to_ms(x), filters))
    return apply(x, filters)


def filters_of_channels(filters: Tensor, processor_channel: str) -> Tensor:
    """Return the filters for left and right or for all channels.

    For ``"pseudo_midside"``, left gets the sum of the filters of mid and side, and right their difference. Other
    filters are unchanged.

    Args:
        filters: ``(B, 1 or 2, N)``.
        processor_channel: One of the four names.
    """
    return ms_to_lr(filters) if processor_channel == "pseudo_midside" else filters


def check_stereo(x: Tensor, who: str) -> None:
    """Refuse signals that do not have two channels.

    Raises:
        ParameterError: ``x`` is not ``(batch, 2, samples)``.
    """
    if x.ndim != 3 or x.shape[1] != 2:
        raise ParameterError(
            f"{who} needs a stereo signal (batch, 2, samples), not {tuple(x.shape)}. "
            "Repeat a mono signal on two channels first."
        )


def check_mono_or_stereo(x: Tensor, who: str, needs: str = "needs a mono or stereo signal") -> None:
    """Refuse signals that have more than two channels.

    Raises:
        ParameterError: ``x`` is neither ``(batch, 1, samples)`` nor ``(batch, 2, samples)``.
    """
    if x.ndim != 3 or not is_one_of(x.shape[1], 1, 2):
        raise ParameterError(f"{who} {needs} (batch, 1 or 2, samples), not {tuple(x.shape)}.")
