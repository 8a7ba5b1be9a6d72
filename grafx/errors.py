"""Errors that name the place and the remedy."""


class GraphError(ValueError):
    """A graph, or an operation on one, is not valid."""


class RenderError(ValueError):
    """A graph cannot be rendered with what was given."""


class AudioError(ValueError):
    """An audio file or signal cannot be used."""


class SearchError(ValueError):
    """A search cannot be done, or not be continued, as asked."""


class GraphWarning(UserWarning):
    """Something in a graph was understood otherwise than its parts say, or left out."""
