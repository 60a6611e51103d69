"""A hook of MkDocs: `from jinja_fragcache.doors.mkdocs import on_env` in its file."""

from pathlib import Path
from typing import Any

from jinja2 import Environment

from jinja_fragcache.template.setup import set_fragment_cache

from .sites import FOLDER, site_cache


def on_env(env: Environment, config: Any, files: Any) -> Environment:
    """Add the cache tag to the environment of a theme. Called by MkDocs.

    Args:
        env: The environment.
        config: The configuration. Fragments are in `.cache/fragments` beside its file.
        files: The files of the site.
    """
    root = Path(config.config_file_path or "mkdocs.yml").parent
    set_fragment_cache(env, site_cache(root / FOLDER))
    return env
