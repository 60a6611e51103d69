"""Caches pieces of Jinja2 templates: `{% cache 300, "sidebar", user.id %}`.

What the package offers is imported when it is first asked for. pytest and Flask import
this package in each run, by its entry points, and most runs need nothing of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .access.stats import Stats as Stats
    from .cache import FragmentCache as FragmentCache
    from .engine.noted_reads import guard_variables as guard_variables
    from .engine.noted_reads import note_read as note_read
    from .engine.tags import cache_tag as cache_tag
    from .errors import FragmentCacheError as FragmentCacheError
    from .errors import FragmentTagError as FragmentTagError
    from .errors import KeyValueError as KeyValueError
    from .errors import ListenerError as ListenerError
    from .errors import PolicyError as PolicyError
    from .errors import SerializationError as SerializationError
    from .errors import SettingError as SettingError
    from .errors import StoreError as StoreError
    from .errors import TimeoutValueError as TimeoutValueError
    from .errors import UncoveredReadError as UncoveredReadError
    from .errors import VerificationError as VerificationError
    from .errors import WrongCallError as WrongCallError
    from .flask import Cache as Cache
    from .keys.fragment import default_fragment_name as default_fragment_name
    from .keys.fragment import make_template_fragment_key as make_template_fragment_key
    from .observe.events import About as About
    from .observe.events import Event as Event
    from .observe.events import Reason as Reason
    from .observe.events import Report as Report
    from .observe.events import Why as Why
    from .observe.listeners import Listener as Listener
    from .render.environment import fragment_cache_of as fragment_cache_of
    from .stores import MemoryStore as MemoryStore
    from .template.extension import FragmentCacheExtension as FragmentCacheExtension
    from .template.setup import set_fragment_cache as set_fragment_cache

__version__ = "0.1.0"

__all__ = [
    "About",
    "Event",
    "FragmentCache",
    "FragmentCacheError",
    "FragmentCacheExtension",
    "FragmentTagError",
    "KeyValueError",
    "Listener",
    "ListenerError",
    "MemoryStore",
    "PolicyError",
    "Reason",
    "Report",
    "SerializationError",
    "SettingError",
    "Stats",
    "StoreError",
    "TimeoutValueError",
    "UncoveredReadError",
    "VerificationError",
    "Why",
    "WrongCallError",
    "cache_tag",
    "default_fragment_name",
    "fragment_cache_of",
    "guard_variables",
    "make_template_fragment_key",
    "note_read",
    "set_fragment_cache",
]

# The modules of the names that are not errors.
_MODULES = {
    "About": "observe.events",
    "Event": "observe.events",
    "FragmentCache": "cache",
    "FragmentCacheExtension": "template.extension",
    "Listener": "observe.listeners",
    "MemoryStore": "stores",
    "Reason": "observe.events",
    "Report": "observe.events",
    "Stats": "access.stats",
    "Why": "observe.events",
    "cache_tag": "engine.tags",
    "default_fragment_name": "keys.fragment",
    "fragment_cache_of": "render.environment",
    "guard_variables": "engine.noted_reads",
    "make_template_fragment_key": "keys.fragment",
    "note_read": "engine.noted_reads",
    "set_fragment_cache": "template.setup",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for.

    Raises:
        AttributeError: If the package has no such name.
        ImportError: If it is `Cache` and Flask, which is an extra, is not installed.
    """
    if name == "Cache":
        return _flask_cache()
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f".{_MODULES.get(name, 'errors')}", __name__)
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return what is there already, and what is imported when it is asked for."""
    return sorted({*globals(), *__all__})


def _flask_cache() -> Any:
    try:
        from .flask import Cache  # noqa: PLC0415 - the point of this function
    except ModuleNotFoundError as error:
        if error.name != "flask":
            raise
        from .messages import needs  # noqa: PLC0415 - only where it is needed

        raise ImportError(needs("jinja_fragcache.Cache", "Flask", "flask")) from error
    return Cache
