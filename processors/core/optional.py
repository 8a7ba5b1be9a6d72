"""Raw parameters that only some options bring."""

import torch.nn as nn

from ..errors import ParameterError


def check_optional(processor: nn.Module, **parameters: object) -> None:
    """Refuse a parameter that is missing, and one that the options of a processor leave out.

    Args:
        processor: anything with a ``parameter_size``.
        **parameters: what ``forward`` got under each name, or None.

    Raises:
        ParameterError: a parameter is given though its size is not listed, or the other way round.
    """
    sizes = processor.parameter_size()
    for name, value in parameters.items():
        if (value is None) == (name in sizes):
            fault = "needs" if value is None else "takes no"
            has = f"its raw parameters are {', '.join(sizes)}" if sizes else "it has no raw parameters"
            raise ParameterError(f"{type(processor).__name__} {fault} {name} with its options; {has}.")
