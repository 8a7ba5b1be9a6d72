"""Errors of processors."""


class ParameterError(ValueError):
    """A parameter or an option is missing, unknown, misshapen or out of range."""


class DerivativeError(ParameterError, NotImplementedError):
    """A derivative is asked for that a processor does not have."""
