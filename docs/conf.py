"""Configuration of the site: ``sphinx-build -W --keep-going -j auto -b html docs docs/_build/html``."""

import html
import importlib
import inspect
import os
import pkgutil
import re
import shutil
import sys
from importlib.metadata import version as package_version
from pathlib import Path

from docutils import nodes
from sphinx.errors import ConfigError
from sphinx.util.inspect import stringify_signature

# Pages that run code are read side by side: each has a core.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from reference import directives, maths, pages, start  # noqa: E402
from reference.examples import PUBLIC  # noqa: E402
from reference.once import once  # noqa: E402

STATIC = HERE / "generated" / "static"  # what is made for pages to load
STATIC.mkdir(parents=True, exist_ok=True)
LOCAL_MATHS = maths.fetch(STATIC / "mathjax")

project = "grafx"
author = "The grafx authors"
copyright = "The grafx authors"
version = release = package_version("grafx")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "myst_nb",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "generated", "jupyter_execute", "images/*.py", "**.ipynb_checkpoints"]

html_theme = "furo"
html_title = f"grafx {release}"
html_static_path = ["_static", str(STATIC)]
html_css_files = ["grafx.css"]
html_js_files = [("grafx.js", {"defer": "defer"})]
html_logo = "_static/logo.svg"
html_favicon = "_static/favicon.svg"

mathjax_path = "mathjax/tex-svg.js" if LOCAL_MATHS else maths.ADDRESS
mathjax3_config = maths.config(LOCAL_MATHS)  # read by later versions as well

copybutton_exclude = ".linenos, .gp, .go"
copybutton_selector = "div.highlight:not(.output *) pre"

myst_enable_extensions = ["colon_fence", "dollarmath", "amsmath", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 900  # of a cell, where other work is on the cores
nb_merge_streams = True
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"

autosummary_generate = False  # its tables link to what the pages of the reference document
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
toc_object_entries_show_parents = "hide"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100

PICTURES = "generated/processors"
LOTS = 8  # of pages, of which Sphinx makes about as many
IDENTITY = "(<function <lambda>>, <function <lambda>>)"  # as a default is written that a dataclass has


def copy_notebooks(app):
    """Copy the tutorials from the top level of the repository."""
    target = HERE / "notebooks"
    target.mkdir(exist_ok=True)
    for source in sorted((HERE.parent / "notebooks").glob("*.md")):
        copy = target / source.name
        if not copy.exists() or copy.read_bytes() != source.read_bytes():
            shutil.copyfile(source, copy)


def make_processors(app):
    """Draw, sound and describe all processors; one of what cannot be made without options stops the build."""
    try:
        made = once(HERE / "generated")
        pages.check(made["pictures"])
    except LookupError as error:
        raise ConfigError(str(error)) from error
    app.pictures, app.start = made["pictures"], made["start"]
    written = {}
    for family, members in made["pictures"].items():
        for name, texts in members.items():
            shown = [(f"{PICTURES}/{name}_{i}.svg", text) for i, text in enumerate(texts)]
            sounds = [pages.Sound(*sound) for sound in made["sounds"][name]]
            written[name] = pages.page(name, family, shown, sounds)
    pages.write_all(HERE / "api" / "processors", written)


def deal_out(app, env, docnames):
    """Give each lot of pages that a process reads some of those that run code, which lie side by side."""
    docnames[:] = [name for first in range(LOTS) for name in docnames[first::LOTS]]


def list_processors(app, docname, source):
    """Append a card of every public processor to the list of all."""
    if docname == "api/processors":
        first = {family: {name: texts[0] for name, texts in m.items()} for family, m in app.pictures.items()}
        source[0] += "\n" + pages.index(first)


def show_start(app, docname, source):
    """Place the picture of the start page."""
    if docname == "index":
        lines = [f"```{{image}} {PICTURES}/{start.PICTURE}", f":alt: {app.start}", ":width: 100%", "```"]
        source[0] = source[0].replace("```{start}\n```", "\n".join(lines))


def write_core(app):
    """Write a page for each module of the core."""
    package = importlib.import_module("grafx.processors.core")
    app.core = {}
    for found in pkgutil.iter_modules(package.__path__, "grafx.processors.core."):
        name = found.name.rpartition(".")[2]
        if not name.startswith("_") and defines_anything(found.name):
            app.core[name] = (inspect.getdoc(importlib.import_module(found.name)) or "").partition("\n\n")[0]
    pages.write_all(
        HERE / "api" / "core",
        {
            name: "\n".join(
                [*pages.heading(name, "="), f".. automodule:: grafx.processors.core.{name}", "   :members:", ""]
            )
            for name in app.core
        },
    )


def list_core(app, docname, source):
    """List the modules of the core on their page."""
    if docname == "api/core":
        lines = ["", ".. toctree::", "   :hidden:", "", *(f"   core/{name}" for name in app.core), ""]
        lines += [f":doc:`core/{name}`\n   {' '.join(said.split())}\n" for name, said in app.core.items()]
        source[0] += "\n".join([".. currentmodule:: grafx.processors", *lines])


def list_names(app, docname, source):
    """Open a page of the reference with a table of what the package exports, before all is said of each."""
    found = re.search(r"^\.\. automodule:: (\S+)\n((?:   .*\n)*)", source[0], re.MULTILINE)
    if not docname.startswith("api/") or found is None:
        return
    module = importlib.import_module(found[1])
    left_out = re.findall(r":exclude-members: (.*)", found[2])
    left_out = {name.strip() for name in ",".join(left_out).split(",")}
    public = {name: getattr(module, name) for name in getattr(module, "__all__", ()) if name not in left_out}
    names = [name for name, value in public.items() if inspect.isclass(value) or inspect.isfunction(value)]
    if len(names) > 1:
        lines = [f".. currentmodule:: {found[1]}", "", ".. autosummary::", "   :nosignatures:", ""]
        table = "\n".join([*lines, *(f"   {name}" for name in names), "", ""])
        source[0] = source[0][: found.start()] + table + source[0][found.start() :]


def defines_anything(name):
    """Whether a module defines functions or classes of its own, rather than importing them."""
    return any(getattr(value, "__module__", None) == name for value in vars(importlib.import_module(name)).values())


def list_raw_parameters(app, what, name, obj, options, lines):
    """Turn the block under "Raw parameters" into a list, which reST would take for a paragraph."""
    start = next((i for i, line in enumerate(lines) if re.match(r"Raw parameters\b.*:$", line)), None)
    if start is None:
        return
    end = next((i for i in range(start + 1, len(lines)) if lines[i] and not lines[i].startswith(" ")), len(lines))
    listed = [re.sub(r"^Raw parameters(.*):$", r"**Raw parameters**\1", lines[start]), ""]
    for line in lines[start + 1 : end]:
        entry = re.match(r"    (\w[\w, ]*?)( ``.*|: .*)$", line)
        listed.append(f"* ``{entry[1]}``{entry[2]}" if entry else f"  {line.strip()}".rstrip())
    lines[start:end] = [*listed, ""]


def leave_out_summary(app, what, name, obj, options, lines):
    """Leave out the first paragraph of a processor, with which its page begins."""
    if what == "class" and obj in PUBLIC.values() and app.env.docname.startswith("api/processors/"):
        end = next((i for i, line in enumerate(lines) if not line), len(lines))
        del lines[: end + 1]


def mend_back_links(app, pagename, templatename, context, doctree):
    """Lead from code to where it is documented, for modules of which other packages export parts."""
    if not pagename.startswith("_modules/"):
        return
    module = pagename.removeprefix("_modules/").replace("/", ".")
    objects = app.env.domains["py"].objects

    def mend(match):
        parts = match[1].split(".")
        names = [match[1], *(f"{module}.{'.'.join(parts[i:])}" for i in range(1, len(parts)))]
        known = next((name for name in names if name in objects), None)
        if known is None:
            return ""
        page = app.builder.get_relative_uri(pagename, objects[known].docname)
        return f'<a class="viewcode-back" href="{page}#{objects[known].node_id}">{match[2]}</a>'

    context["body"] = re.sub(r'<a class="viewcode-back" href="[^"#]*#([^"]*)">(.*?)</a>', mend, context["body"])


def describe_outputs(app, doctree, docname):
    """Give what code has drawn or played a text in its place, from what was said or printed before it."""
    said, title = "", None
    for node in list(doctree.findall()):
        if isinstance(node, nodes.paragraph):
            said = re.split(r"(?<=[.:])\s", " ".join(node.astext().split()))[-1].rstrip(":") or said
            title = node if "cell_output" in node.parent.get("classes", ()) else None
        elif isinstance(node, nodes.literal_block) and "output" in node.get("classes", ()):
            said = node.astext().strip().rpartition("\n")[2] or said
        elif isinstance(node, nodes.image) and node.get("alt", "") in ("", node["uri"]):
            node["alt"] = f"Picture drawn by the code above. {said}"
        elif isinstance(node, nodes.raw) and "<audio" in node.astext():
            caption = html.escape(said, quote=True)
            if title is not None:  # which the caption takes the place of
                title.parent.remove(title)
                title = None
            player = node.astext().replace("<audio", f'<audio preload="none" aria-label="{caption}"')
            node.clear()
            node += nodes.Text(f'<p class="caption heard">{caption}</p>{player}')


def own_signature(app, what, name, obj, options, signature, return_annotation):
    """Show the signature of a class where a base class takes ``*args``, and defaults by name."""
    if what == "class" and "<lambda>" in (signature or ""):
        return signature.replace(IDENTITY, "IDENTITY"), return_annotation
    if what != "class" or "*args" not in (signature or ""):
        return None
    own = inspect.signature(obj.__init__)
    parameters = list(own.parameters.values())[1:]
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        parameters = []
    return stringify_signature(own.replace(parameters=parameters), show_annotation=False), return_annotation


def resolve_by_last_name(app, env, node, contnode):
    """Link names in docstrings without their full path, and types by their public package."""
    if node.get("refdomain") != "py":
        return None
    name = node["reftarget"].rpartition(".")[2]
    domain = env.domains["py"]
    matches = [
        full
        for full, entry in domain.objects.items()
        if full.startswith("grafx.") and full.rpartition(".")[2] == name and not entry.aliased
    ]
    if len(matches) != 1:
        return None
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", matches[0], node, contnode)


def setup(app):
    app.add_node(
        directives.sound,
        html=(directives.visit_sound, None),
        latex=(directives.skip, None),
        text=(directives.skip, None),
        man=(directives.skip, None),
        texinfo=(directives.skip, None),
    )
    app.add_directive("sound", directives.SoundDirective)
    app.add_directive("filter", directives.FilterDirective)
    app.connect("builder-inited", copy_notebooks, priority=100)
    app.connect("builder-inited", make_processors, priority=100)
    app.connect("builder-inited", write_core, priority=100)
    app.connect("env-before-read-docs", deal_out)
    app.connect("source-read", list_processors)
    app.connect("source-read", show_start)
    app.connect("source-read", list_core)
    app.connect("source-read", list_names)
    app.connect("autodoc-process-docstring", leave_out_summary, priority=50)
    app.connect("autodoc-process-docstring", list_raw_parameters, priority=100)
    app.connect("autodoc-process-signature", own_signature)
    app.connect("missing-reference", resolve_by_last_name)
    app.connect("doctree-resolved", describe_outputs)
    app.connect("html-page-context", mend_back_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
