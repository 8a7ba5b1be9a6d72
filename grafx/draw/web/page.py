"""Pages of one file: what is inside them, escaped, and nothing from elsewhere."""

import base64
import hashlib
import html
import json
from collections.abc import Iterable
from importlib import resources
from typing import Any

from ...text import printable

LONGEST_TITLE = 200  # characters

# What ends a script or begins a comment in HTML, and what ends a line in older JavaScript.
_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}

_SKELETON = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{title}</title>
{styles}
</head>
<body>
{body}
{data}
{scripts}
</body>
</html>
"""


def script_json(value: Any) -> str:
    r"""Write plain data as JSON that can stand in a ``script`` element.

    ``<``, ``>``, ``&``, and the line separators U+2028 and U+2029 are escaped, so no text ends the element, begins a
    comment, or is taken for a reference.

    Args:
        value: Dicts with text keys, lists, texts, finite numbers, truth values, ``None``.

    Raises:
        ValueError: A number is not finite.

    Examples:
        >>> script_json({"name": "</script>"})
        '{"name":"\\u003c/script\\u003e"}'
    """
    # Lone surrogates cannot be encoded as UTF-8; as escapes, they can.
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":")).translate(_ESCAPES)
    return "".join(f"\\u{ord(c):04x}" if "\ud800" <= c <= "\udfff" else c for c in text) if _has_lone(text) else text


def read_asset(name: str, package: str = __name__.rpartition(".")[0]) -> str:
    """Read a script or a style sheet that lies in a package: by default ``viewer.js`` or ``viewer.css`` here."""
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def content_policy(scripts: Iterable[str], **sources: str) -> str:
    """The content security policy of a page that asks nobody for anything and runs these scripts alone.

    Args:
        scripts: The text of each inline script. Others, such as those in somebody's names, are not run.
        **sources: Further sources: ``media="data: blob:"``, ``connect="'self'"``.
    """
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    rules = {
        "default": "'none'",
        "script": " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'",
        "style": "'unsafe-inline'",
        "img": "data: blob:",
        **sources,
    }
    lines = [f"{kind}-src {allowed}" for kind, allowed in rules.items()]
    return "; ".join([*lines, "base-uri 'none'", "form-action 'none'"])


def page(title: str, body: str, data: dict[str, Any], styles: Iterable[str] = (), scripts: Iterable[str] = ()) -> str:
    """Put a page of one file together.

    Args:
        title: Its title, any text.
        body: HTML that is trusted.
        data: Id to plain data, which scripts find in ``script`` elements of the type ``application/json``.
        styles: Style sheets.
        scripts: Classic scripts, run in this order after the page is there.
    """
    scripts = [script if script.endswith("\n") else script + "\n" for script in scripts]
    held = (f'<script type="application/json" id="{key}">{script_json(value)}</script>' for key, value in data.items())
    return _SKELETON.format(
        policy=html.escape(content_policy(scripts)),
        title=html.escape(printable(str(title)[:LONGEST_TITLE])),
        styles="\n".join(f"<style>\n{style}</style>" for style in styles),
        body=body,
        data="\n".join(held),
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
    )


def _has_lone(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
