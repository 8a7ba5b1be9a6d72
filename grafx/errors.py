"""Errors that name the place and the remedy."""


class GraphError(ValueError):
    """A graph, or an operation on one, is not valid."""


class RenderError(ValueError):
    """A graph cannot be rendered with the given arguments."""


class AudioError(ValueError):
    """An audio file or signal cannot be used."""


class SearchError(ValueError):
    """A search cannot be run or resumed as requested."""


class EstimateError(ValueError):
    """A prior, a data set or a model of graphs cannot be used as requested."""


class ExchangeError(ValueError):
    """A graph cannot be carried over to another program, or what comes from one cannot be read."""


class GraphWarning(UserWarning):
    """A part of a graph was overridden or ignored."""
