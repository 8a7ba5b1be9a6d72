"""A copy of MathJax beside the pages, so that equations need no network once the site is built.

npm, where there is one, gets it once. Elsewhere pages ask the network that Sphinx names, which they do by default.
"""

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

VERSION = "4.1.3"
RARE = (  # what few equations have, loaded by those
    "accents",
    "arrows",
    "calligraphic",
    "double-struck",
    "fraktur",
    "greek",
    "latin",
    "marrows",
    "math",
    "monospace",
    "mshapes",
    "sans-serif",
    "script",
    "shapes",
    "symbols",
    "variants",
)
PACKAGES = {
    f"mathjax@{VERSION}": ("tex-svg.js", "a11y/assistive-mml.js"),
    f"@mathjax/mathjax-newcm-font@{VERSION}": tuple(f"svg/dynamic/{alphabet}.js" for alphabet in RARE),
}
ADDRESS = f"https://cdn.jsdelivr.net/npm/mathjax@{VERSION}/tex-svg.js"
CONFIG = {
    "tex": {"inlineMath": [["\\(", "\\)"]], "displayMath": [["\\[", "\\]"]]},
    "options": {
        "ignoreHtmlClass": "tex2jax_ignore|mathjax_ignore|document",
        "processHtmlClass": "tex2jax_process|mathjax_process|math|output_area",
        # Its own menu and speech load more, from elsewhere; readers of the screen get MathML.
        "enableMenu": False,
        "renderActions": {"enrich": [], "complexity": [], "attachSpeech": [], "explorable": []},
    },
    "loader": {"load": ["a11y/assistive-mml"]},
    "output": {"displayOverflow": "linebreak", "linebreaks": {"inline": True, "width": "100%"}},
}


def config(local: bool) -> dict[str, Any]:
    """What MathJax is told, by a copy beside the pages or by the network."""
    return {**CONFIG, "output": {**CONFIG["output"], **({"fontPath": "[mathjax]"} if local else {})}}


def fetch(folder: Path) -> bool:
    """Get MathJax from npm, unless it is there.

    Returns:
        Whether it is there.
    """
    if (folder / "tex-svg.js").exists():
        return True
    npm = shutil.which("npm")
    if npm is None:
        return False
    with tempfile.TemporaryDirectory() as download:
        try:
            command = [npm, "pack", "--silent", "--pack-destination", download, *PACKAGES]
            subprocess.run(command, check=True, capture_output=True, timeout=180)
        except (OSError, subprocess.SubprocessError):
            return False
        for archive, wanted in zip(sorted(Path(download).glob("*.tgz"), key=_order), PACKAGES.values(), strict=True):
            _unpack(archive, wanted, folder)
    return True


def _order(archive: Path) -> bool:
    return "font" in archive.name


def _unpack(archive: Path, wanted: tuple[str, ...], folder: Path) -> None:
    with tarfile.open(archive) as packed:
        for member in packed.getmembers():
            name = member.name.removeprefix("package/")
            if member.isfile() and name.startswith(wanted):
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(packed.extractfile(member).read())
