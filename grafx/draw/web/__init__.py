"""Drawings for browsers: a page of one file, in which graphs can be moved, searched and folded."""

from .html import to_html
from .page import content_policy, page, read_asset, script_json
from .picture import picture

__all__ = ["content_policy", "page", "picture", "read_asset", "script_json", "to_html"]
