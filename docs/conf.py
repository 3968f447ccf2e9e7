"""How Sphinx builds this site: `make docs`."""

from __future__ import annotations

import re
import runpy
from importlib import import_module
from importlib.metadata import version as installed_version
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext.autodoc.mock import mock
from sphinx.util.logging import getLogger

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "build" / "pictures"

project = "neuroact"
author = "the neuroact developers"
project_copyright = author
version = release = installed_version("neuroact")

extensions = ["myst_parser", "sphinx_copybutton", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["images"]
html_theme = "furo"
html_theme_options = {
    mode: {"code-font-size": "var(--font-size--small--2)"}  # tables fit the column
    for mode in ("light_css_variables", "dark_css_variables")
}
html_title = "neuroact"
html_static_path = ["style"]
html_css_files = ["wide.css"]
html_show_sphinx = False
html_copy_source = False
html_domain_indices = False

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

# What a reader types is copied, without prompts; what a program printed has no button.
copybutton_selector = "div:not(.highlight-text) > div.highlight > pre"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

default_role = "literal"  # a docstring's `name` is code
# Only their base classes are needed here.
autodoc_mock_imports = ["lightning", "neurobench"]
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # only `Attributes:` documents fields
napoleon_attr_annotations = False  # their types are in the signature
python_maximum_signature_line_length = 88

# Files outside this folder that have a page here.
PAGES = {
    ROOT / "adapters" / "README": "how-to/write-an-adapter",
    ROOT / "CHANGELOG": "explanation/changelog",
    ROOT / "CONTRIBUTING": "explanation/contributing",
    ROOT / "SECURITY": "explanation/security",
    ROOT / "examples" / "custom_framework" / "README": "tutorial/example-package",
}


# The reference has to describe every name in the `__all__` of these modules.
PUBLIC = (
    "neuroact",
    "neuroact.distributed",
    "neuroact.energy",
    "neuroact.training.lightning",
    "neuroact.plots",
    "neuroact.quantiles",
    "neuroact.statistics",
    "neuroact.testing",
    "neuroact.training",
    "neuroact_adapters.neurobench",
)


def setup(app: Sphinx) -> None:
    """Draw the pictures first, and redirect links to files outside this folder."""
    app.connect("builder-inited", draw_pictures)
    app.connect("doctree-read", lead_to_pages)
    app.connect("env-check-consistency", miss_names)
    app.connect("autodoc-process-signature", shorten_defaults)
    app.connect("autodoc-process-docstring", keep_colons, priority=400)  # before napoleon's


def draw_pictures(app: Sphinx) -> None:
    """Draw every picture of the gallery, from a short training and a run over test digits."""
    runpy.run_path(str(ROOT / "examples" / "gallery.py"))["make"](PICTURES, epochs=6, ending="svg")


def shorten_defaults(
    app: Sphinx,
    what: str,
    name: str,
    described: object,
    options: object,
    arguments: str | None,
    gives: str | None,
) -> tuple[str, str | None] | None:
    """Replace defaults such as `<factory>`: Sphinx cannot parse them, nor lay out the signature."""
    return (re.sub(r"= <\w[^<>]*>", "= ...", arguments), gives) if arguments else None


def keep_colons(
    app: Sphinx, what: str, name: str, described: object, options: object, lines: list[str]
) -> None:
    """Put an empty comment first: napoleon would take text before a colon for a type."""
    if what in ("attribute", "property"):
        lines[:0] = ["..", ""]


def lead_to_pages(app: Sphinx, doctree: nodes.document) -> None:
    """Let links to Markdown files outside this folder lead to their pages."""
    for link in doctree.findall(addnodes.pending_xref):
        target = Path(app.srcdir, link["reftarget"]).resolve()
        link["reftarget"] = PAGES.get(target, link["reftarget"])


def miss_names(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of each public class or function that no page describes; a warning is an error."""
    described = env.domains.python_domain.objects
    for module in PUBLIC:
        with mock(autodoc_mock_imports):
            public = import_module(module)
        for name in public.__all__:
            there = f"{module}.{name}" in described or f"neuroact.{name}" in described
            if callable(getattr(public, name)) and not there:
                getLogger(__name__).warning("no page describes %s.%s", module, name)
