"""Errors of processors."""


class ParameterError(ValueError):
    """A parameter or an option is missing, unknown, misshapen or out of range."""
