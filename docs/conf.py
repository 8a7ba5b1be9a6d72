"""Configuration of the site: ``sphinx-build -W --keep-going -b html docs docs/_build/html``."""

import importlib
import inspect
import pkgutil
import re
import shutil
import sys
from importlib.metadata import version as package_version
from pathlib import Path

from sphinx.errors import ConfigError
from sphinx.util.inspect import stringify_signature

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

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
]
exclude_patterns = ["_build", "generated", "jupyter_execute", "images/*.py", "**.ipynb_checkpoints"]

html_theme = "furo"
html_title = f"grafx {release}"
html_static_path = ["_static"]
html_css_files = ["grafx.css"]

myst_enable_extensions = ["colon_fence", "dollarmath", "amsmath", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True

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
INHERITED_FROM = "Processor, Module"  # whose own members are documented once, or by torch
IDENTITY = "(<function <lambda>>, <function <lambda>>)"  # as a default is written that a dataclass has
DECLARATIONS = (  # what a processor is made of, and does not do for those who use it
    "parameter_size, declare_controls, declare_leaves, leaves, own_size, members, raw_to_dsp, values_to_raw, "
    "curve, level, detector, gain, log_gain, formula, generate, modulate, wave, color"
)


def copy_notebooks(app):
    """Copy the tutorials from the top level of the repository."""
    target = HERE / "notebooks"
    target.mkdir(exist_ok=True)
    for source in sorted((HERE.parent / "notebooks").glob("*.md")):
        copy = target / source.name
        if not copy.exists() or copy.read_bytes() != source.read_bytes():
            shutil.copyfile(source, copy)


def draw_processors(app):
    """Draw the pictures of processors; one of what cannot be made without options stops the build."""
    try:
        app.pictures = importlib.import_module("gallery").draw(HERE / PICTURES)
    except LookupError as error:
        raise ConfigError(str(error)) from error


def list_processors(app, docname, source):
    """Append every public processor to its page, with its picture and its controls."""
    if docname != "api/processors":
        return
    lines = [".. currentmodule:: grafx.processors"]
    for family, pictures in app.pictures.items():
        lines += [*heading(family), ".. autosummary::", "   :nosignatures:", ""]
        lines += [*(f"   {name}" for name in pictures), ""]
        for name, description in pictures.items():
            lines += [f".. autoclass:: {name}", "   :members:", f"   :inherited-members: {INHERITED_FROM}"]
            lines += [f"   :exclude-members: {DECLARATIONS}", ""]
            lines += [f"   .. image:: /{PICTURES}/{name}.svg", f"      :alt: {description}", ""]
            lines += [f"   {line}" for line in table_of_controls(name)]
    source[0] += "\n".join(["", *lines])


def list_gallery(app, docname, source):
    """Append a small picture of every public processor to the overview."""
    if docname != "guides/gallery":
        return
    lines = []
    for family, pictures in app.pictures.items():
        lines += ["", f"## {family}", "", "```{eval-rst}", ".. container:: gallery", ""]
        for name, description in pictures.items():
            full = f"grafx.processors.{name}"
            lines += [f"   .. figure:: /{PICTURES}/{name}_small.svg", f"      :target: ../api/processors.html#{full}"]
            lines += [f"      :alt: {description}", "", f"      :class:`~{full}`", ""]
        lines += ["```"]
    source[0] += "\n".join(["", *lines, ""])


def table_of_controls(name):
    """List ranges and defaults, in the order of normalized values, of a processor without required arguments."""
    cls = getattr(importlib.import_module("grafx.processors"), name)
    try:
        leaves = cls().leaves()
    except TypeError:  # it is made of other processors
        return []
    if not leaves:
        return []
    rows = [("Control", "Range", "Default", "Scale")]
    for leaf in leaves:
        control, shape = leaf.control, f" {leaf.shape}" if leaf.shape else ""
        low, high = (f"{limit:g}".replace("-", "−") for limit in (control.low, control.high))
        default = "each its own" if isinstance(control.default, tuple) else f"{control.default:g}".replace("-", "−")
        unit = control.unit and f" {control.unit}"
        rows.append((f"``{leaf.name}``{shape}", f"{low} to {high}{unit}", f"{default}{unit}", control.scale))
    table = [".. list-table::", "   :header-rows: 1", "   :class: controls", ""]
    for row in rows:
        table += ["   * - " + row[0], *(f"     - {cell}" for cell in row[1:])]
    return [*table, ""]


def list_core(app, docname, source):
    """Append every module of the core to its page."""
    if docname != "api/core":
        return
    package = importlib.import_module("grafx.processors.core")
    for module in pkgutil.iter_modules(package.__path__, "grafx.processors.core."):
        if not module.name.rpartition(".")[2].startswith("_") and defines_anything(module.name):
            title = module.name.rpartition(".")[2]
            lines = [*heading(title), f".. automodule:: {module.name}", "   :members:", ""]
            source[0] += "\n".join(["", *lines])


def defines_anything(name):
    """Whether a module defines functions or classes of its own, rather than importing them."""
    return any(getattr(value, "__module__", None) == name for value in vars(importlib.import_module(name)).values())


def heading(title):
    return ["", title, "-" * len(title), ""]


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
    app.connect("builder-inited", copy_notebooks, priority=100)
    app.connect("builder-inited", draw_processors)
    app.connect("source-read", list_processors)
    app.connect("source-read", list_gallery)
    app.connect("source-read", list_core)
    app.connect("autodoc-process-docstring", list_raw_parameters, priority=100)
    app.connect("autodoc-process-signature", own_signature)
    app.connect("missing-reference", resolve_by_last_name)
