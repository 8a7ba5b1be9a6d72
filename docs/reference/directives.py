"""Players of sounds in pages."""

from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective
from sphinx.util.osutil import relative_uri

FOLDER = "_static/sounds"


class sound(nodes.General, nodes.Element):
    """A player."""


class SoundDirective(SphinxDirective):
    """A player with its caption, of a file in the folder of sounds.

    ::

        .. sound:: Compressor_0
           :title: After

           threshold −35 dB, ratio 6
    """

    required_arguments = 1
    has_content = True
    option_spec = {"title": directives.unchanged}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        """Place the player before its caption, so that readers of the screen hear what it is."""
        caption = " ".join(" ".join(self.content).split())
        title = self.options.get("title", "")
        label = ": ".join(filter(None, (title, caption)))
        said = nodes.paragraph(classes=["caption"])
        said += nodes.strong(text=title)
        said += nodes.Text(f" {caption}" if title else caption)
        box = nodes.container(classes=["sound"])
        box += [said, sound(file=self.arguments[0], label=label)]
        return [box]


def visit_sound(translator: Any, node: sound) -> None:
    """Write the element that plays; it loads nothing until it is asked to."""
    page = translator.builder.get_target_uri(translator.builder.current_docname)
    address = relative_uri(page, f"{FOLDER}/{node['file']}.mp3")
    label = translator.attval(node["label"])
    translator.body.append(f'<audio controls preload="none" src="{address}" aria-label="{label}"></audio>')
    raise nodes.SkipNode


def skip(translator: Any, node: sound) -> None:  # noqa: ARG001
    raise nodes.SkipNode


class FilterDirective(SphinxDirective):
    """A field that leaves those cards of a page that have the words in it."""

    def run(self) -> list[nodes.Node]:
        return [nodes.raw("", FIELD, format="html")]


FIELD = """<form class="filter" role="search">
<label for="filter">Find by name or by what it does</label>
<input id="filter" type="search" autocomplete="off" placeholder="sidechain, ducking, tape echo …">
<p class="filter-count" aria-live="polite"></p>
</form>"""
