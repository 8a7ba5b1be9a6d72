"""Errors of processors."""


class ParameterError(ValueError):
    """A parameter or an option is missing, unknown, misshapen or out of range."""


class DerivativeError(ParameterError, NotImplementedError):
    """A processor does not have the requested derivative."""
