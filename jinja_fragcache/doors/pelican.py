"""A plugin of Pelican: `PLUGINS = ["jinja_fragcache.doors.pelican"]`."""

from pathlib import Path
from typing import Any

from pelican import signals

from jinja_fragcache.template.setup import set_fragment_cache

from .sites import FOLDER, site_cache


def register() -> None:
    """Add the cache tag to the templates of a theme. Called by Pelican.

    Fragments are in `.cache/fragments` below the folder where Pelican runs.
    """
    signals.generator_init.connect(_set_up)


def _set_up(generator: Any) -> None:
    set_fragment_cache(generator.env, site_cache(Path.cwd() / FOLDER))
