"""The page of an atlas: one HTML file with its styles, scripts and model inside, which asks nobody for anything."""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ...draw.web import content_policy, script_json
from ...files import replacing
from ..page import HERE as PAGE
from ..page import environment
from .model import Atlas

HERE = Path(__file__).parent
SHARED_STYLES, SHARED_SCRIPTS = ("page", "parts", "plot", "print"), ("dom", "format", "scale", "plot", "theme")
SCRIPTS = ("losses", "survival", "settings", "songs", "atlas")
START = "grafx.atlas.open();"


def write_atlas(file: str | os.PathLike, atlas: Atlas) -> Path:
    """Write the page of an atlas, which replaces one that is there when all is done.

    Args:
        file: Where it goes, in an existing folder.
        atlas: With the songs that it has been given.

    Raises:
        OSError: It cannot be written.
    """
    file = Path(file)
    with replacing(file) as partial:
        partial.write_text(atlas_html(atlas.model(file.absolute().parent)), encoding="utf-8")
    return file


def atlas_html(model: Mapping[str, Any]) -> str:
    """Write a model of an atlas as a page of HTML, in which no other scripts run.

    Args:
        model: See :meth:`.Atlas.model`.

    Raises:
        ValueError: A number is not finite.
    """
    styles = [*(_text(PAGE / "styles" / f"{name}.css") for name in SHARED_STYLES), _text(HERE / "atlas.css")]
    scripts = [_text(PAGE / "scripts" / f"{name}.js") for name in SHARED_SCRIPTS]
    scripts += [*(_text(HERE / "scripts" / f"{name}.js") for name in SCRIPTS), START]
    return _template().render(
        model=model, policy=content_policy(scripts), data=script_json(model), styles=styles, scripts=scripts
    )


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


@cache
def _template() -> Any:
    return environment(HERE).get_template("atlas.html.jinja")
