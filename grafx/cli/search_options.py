"""Options of the command line for all fields of the options of a search."""

import inspect
import re
from collections.abc import Callable
from dataclasses import fields
from enum import Enum
from typing import Annotated, Any

import typer

from ..search import Options
from ..search.mixing.prune import METHODS

Method = Enum("Method", {name: name for name in METHODS}, type=str)


def with_search_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take an option for each field of :class:`.Options`, with its help, instead of ``**options``."""
    signature = inspect.signature(command)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    added = [_parameter(option.name, option.type, option.default) for option in fields(Options)]
    parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in (*own, *added)]
    command.__signature__ = signature.replace(parameters=parameters)  # pyright: ignore[reportFunctionMemberAccess]
    command.__annotations__ |= {p.name: p.annotation for p in added}
    return command


def _parameter(name: str, kind: Any, default: Any) -> inspect.Parameter:
    limits: dict[str, Any] = {"min": 0} if kind in (int, float) else {}
    if name == "method":
        kind, default = Method, Method[default]  # pyright: ignore[reportIndexIssue]
    annotation = Annotated[kind, typer.Option(help=_helps()[name], **limits)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _helps() -> dict[str, str]:
    """What the documentation says of each field, without markup."""
    attributes = (inspect.getdoc(Options) or "").partition("Attributes:")[2].partition("\n\n")[0]
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE)
    return {name: re.sub(r":\w+:|`", "", " ".join(text.split())) for name, text in entries}
