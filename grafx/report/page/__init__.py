"""The page itself: one HTML file with its styles, scripts, model and sounds inside, which asks nobody for anything."""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from grafx.text import printable

HERE = Path(__file__).parent
# In the order in which they need each other; each adds one name to the global `grafx`.
STYLES = ("page", "parts", "plot", "transport", "print")
SCRIPTS = (
    *("dom", "format", "scale", "plot", "player", "levels", "wave"),  # tools
    *("graph", "inspector", "listen", "spectra", "losses", "story", "chains", "settings", "plain"),  # parts of the page
    *("transport", "keys", "paper", "theme", "app"),
)


def page_html(model: Mapping[str, Any], sounds: Mapping[str, bytes], also: Iterable[Path] = ()) -> str:
    """Write a model of a graph and its sounds as a page of HTML.

    Args:
        model: What is shown, as plain data of JSON (see :func:`grafx.report.model.page_model`).
        sounds: The encoded bytes of each sound of the model that has no address of its own.
        also: Styles (``.css``) and scripts (``.js``) that follow those of the page, before it starts.

    Returns:
        A document that needs no other file. Its scripts are named in its policy by their hashes: nothing else runs.
    """
    extra = [Path(file) for file in also]
    styles = [_text(HERE / "styles" / f"{name}.css") for name in STYLES]
    scripts = [_text(HERE / "scripts" / f"{name}.js") for name in SCRIPTS]
    styles += [_text(file) for file in extra if file.suffix == ".css"]
    scripts += [_text(file) for file in extra if file.suffix == ".js"]
    scripts.append("grafx.app.open();")
    return _environment().get_template("page.html.jinja").render(
        model=model,
        data=json_in_script(model),
        styles=styles,
        scripts=scripts,
        hashes=[_hash(script) for script in scripts],
        sounds={key: base64.b64encode(content).decode("ascii") for key, content in sounds.items()},
    )


def json_in_script(value: Any) -> str:
    """JSON that no text in it can end the script element around, nor begin another.

    Raises:
        ValueError: A number is not finite.
    """
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c").replace(">", "\\u003e")


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


@cache
def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["printable"] = printable
    return environment
