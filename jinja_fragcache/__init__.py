"""Caches pieces of Jinja2 templates: `{% cache 300, "sidebar", user.id %}`."""

from typing import TYPE_CHECKING, Any

from .access.stats import Stats as Stats
from .cache import FragmentCache as FragmentCache
from .engine.dependencies import guard_variables as guard_variables
from .engine.dependencies import note_read as note_read
from .engine.tags import cache_tag as cache_tag
from .errors import FragmentCacheError as FragmentCacheError
from .errors import FragmentTagError as FragmentTagError
from .errors import KeyValueError as KeyValueError
from .errors import PolicyError as PolicyError
from .errors import SerializationError as SerializationError
from .errors import SettingError as SettingError
from .errors import StoreError as StoreError
from .errors import TimeoutValueError as TimeoutValueError
from .errors import UncoveredReadError as UncoveredReadError
from .errors import VerificationError as VerificationError
from .errors import WrongCallError as WrongCallError
from .keys.fragment import default_fragment_name as default_fragment_name
from .keys.fragment import make_template_fragment_key as make_template_fragment_key
from .render.environment import fragment_cache_of as fragment_cache_of
from .render.environment import set_fragment_cache as set_fragment_cache
from .stores import MemoryStore as MemoryStore
from .template.extension import FragmentCacheExtension as FragmentCacheExtension

if TYPE_CHECKING:
    from .flask import Cache as Cache

__version__ = "0.1.0"

__all__ = [
    "FragmentCache",
    "FragmentCacheError",
    "FragmentCacheExtension",
    "FragmentTagError",
    "KeyValueError",
    "MemoryStore",
    "PolicyError",
    "SerializationError",
    "SettingError",
    "Stats",
    "StoreError",
    "TimeoutValueError",
    "UncoveredReadError",
    "VerificationError",
    "WrongCallError",
    "cache_tag",
    "default_fragment_name",
    "fragment_cache_of",
    "guard_variables",
    "make_template_fragment_key",
    "note_read",
    "set_fragment_cache",
]


def __getattr__(name: str) -> Any:
    """Import `Cache` when it is asked for, because Flask is an extra."""
    if name != "Cache":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from .flask import Cache  # noqa: PLC0415 - the point of this function
    except ModuleNotFoundError as error:
        if error.name != "flask":
            raise
        raise ImportError(
            "jinja_fragcache.Cache needs Flask. Install it with"
            " pip install 'jinja-fragcache[flask]'."
        ) from error
    return Cache
