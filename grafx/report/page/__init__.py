"""The page itself: one HTML file with its styles, scripts, model and sounds inside, which asks nobody for anything."""

import base64
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ...draw.web import content_policy, read_asset, script_json
from ...text import printable

HERE = Path(__file__).parent
STYLES = ("page", "parts", "plot", "transport", "print")
# In the order in which they need each other; each adds one name to the global `grafx`.
SCRIPTS = (
    *("dom", "format", "scale", "plot", "player", "levels", "wave"),  # tools
    *("graph", "inspector", "listen", "spectra", "losses", "story", "chains", "settings", "plain"),  # parts of the page
    *("transport", "keys", "paper", "theme", "app"),
)
START = "grafx.app.open();"


def page_html(model: Mapping[str, Any], sounds: Mapping[str, bytes], also: Iterable[Path] = ()) -> str:
    """Write a model of a graph and its sounds as a page of HTML.

    Args:
        model: What is shown, as plain data of JSON (see :func:`.page_model`). A ``live`` one may ask its own server.
        sounds: Key to the encoded bytes of each sound of the model that has no address.
        also: Styles (``.css``) and scripts (``.js``) that follow those of the page, before it starts.

    Returns:
        A document that needs no other file, in which no other scripts run.

    Raises:
        ValueError: A number is not finite.
    """
    also = [Path(file) for file in also]
    styles = [read_asset("viewer.css"), *(_text(HERE / "styles" / f"{name}.css") for name in STYLES)]
    scripts = [read_asset("viewer.js"), *(_text(HERE / "scripts" / f"{name}.js") for name in SCRIPTS)]
    styles += [_text(file) for file in also if file.suffix == ".css"]
    scripts += [*(_text(file) for file in also if file.suffix == ".js"), START]
    own = "'self'" if model["live"] else ""
    return _template().render(
        model=model,
        policy=content_policy(scripts, media=f"data: blob: {own}".strip(), connect=own or "'none'"),
        data=script_json(model),
        styles=styles,
        scripts=scripts,
        sounds={key: base64.b64encode(content).decode("ascii") for key, content in sounds.items()},
    )


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


@cache
def _template() -> Any:
    return environment(HERE).get_template("page.html.jinja")


def environment(folder: Path) -> Any:
    """Templates of a folder, which escape what they are given."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["printable"] = printable
    return made
