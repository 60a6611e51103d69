"""An extension of Sphinx: `extensions = ["jinja_fragcache.doors.sphinx"]`."""

from pathlib import Path
from typing import Any

from jinja2 import Environment
from sphinx.application import Sphinx

from jinja_fragcache.template.setup import set_fragment_cache

from .sites import FOLDER, site_cache


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the cache tag to the templates of HTML themes. Called by Sphinx.

    Fragments are in `.cache/fragments` below the folder of `conf.py`.
    """
    app.connect("builder-inited", _set_up)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _set_up(app: Sphinx) -> None:
    env = getattr(getattr(app.builder, "templates", None), "environment", None)
    # Builders that write no HTML have no templates, and a theme's bridge may have
    # templates of another kind.
    if isinstance(env, Environment):
        set_fragment_cache(env, site_cache(Path(app.confdir) / FOLDER))
