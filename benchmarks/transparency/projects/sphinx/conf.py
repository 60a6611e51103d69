"""Settings of a Sphinx project: pages for modules of this package."""

project = "jinja-fragcache"
author = copyright = "its authors"  # noqa: A001 - Sphinx calls it so
version = release = "1"
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
autosummary_generate = True
html_theme = "alabaster"
html_theme_options = {"description": "Fragments & <pages>", "show_relbars": True}
html_show_sourcelink = True
