"""Flask settings: which there are, and the `FragmentCache` that they describe."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jinja_fragcache.errors import SettingError, StoreError, TimeoutValueError
from jinja_fragcache.fragments import FragmentCache
from jinja_fragcache.timeouts import normalize_timeout

from .backends import make_store


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that is read.

    Attributes:
        name: as in `app.config`.
        default: the value it has where an application has none.
        used_by: the cache types that use it, in the words of the documentation.
        meaning: what it sets, in the words of the documentation.
    """

    name: str
    default: Any
    used_by: str
    meaning: str


#: All settings that are read. Names and values are those of Flask-Cache and
#: Flask-Caching. The table in docs/flask.md is made of it.
SETTINGS = (
    Setting("CACHE_TYPE", "null", "all", "where to cache: see the types above"),
    Setting(
        "CACHE_DEFAULT_TIMEOUT",
        300,
        "all",
        "seconds for tags with no timeout or None; 0 for ever",
    ),
    Setting(
        "CACHE_NO_NULL_WARNING",
        False,  # noqa: FBT003 - a value, no flag
        "`null`",
        "whether to be silent about caching nothing",
    ),
    Setting(
        "CACHE_THRESHOLD",
        500,
        "`simple`, `filesystem`",
        "the largest number of entries. A page with a list of cached rows needs as"
        " many.",
    ),
    Setting("CACHE_DIR", None, "`filesystem`", "the folder, made if it is missing"),
    Setting(
        "CACHE_KEY_PREFIX",
        None,
        "`redis`",
        "what all keys begin with, so that applications can share a database;"
        " `clear()` needs one",
    ),
    Setting(
        "CACHE_REDIS_HOST",
        "localhost",
        "`redis`",
        "the server's name, or a ready client",
    ),
    Setting("CACHE_REDIS_PORT", 6379, "`redis`", "the server's port"),
    Setting("CACHE_REDIS_PASSWORD", None, "`redis`", "the password, if there is one"),
    Setting("CACHE_REDIS_DB", 0, "`redis`", "the number of the database"),
    Setting(
        "CACHE_REDIS_URL",
        None,
        "`redis`",
        "`redis://user:password@host:port/db`, in place of the four above",
    ),
    Setting(
        "CACHE_OPTIONS",
        {},
        "all but `null`",
        "more keyword arguments for the store, such as `socket_timeout` for `redis`",
    ),
)


def make_fragment_cache(
    settings: Mapping[str, Any], strict: Callable[[], bool]
) -> FragmentCache:
    """Make what the settings describe.

    Args:
        settings: an application's settings. Those that are missing have their default.
        strict: as for `FragmentCache`.

    Raises:
        SettingError: a setting has a value that is not allowed.
    """
    settings = {**{each.name: each.default for each in SETTINGS}, **settings}
    try:
        timeout = normalize_timeout(settings["CACHE_DEFAULT_TIMEOUT"])
    except TimeoutValueError as error:
        raise SettingError(f"CACHE_DEFAULT_TIMEOUT: {error}") from None
    store = make_store(settings)
    try:
        return FragmentCache(store, default_timeout=timeout, strict=strict)
    except StoreError as error:
        raise SettingError(f"CACHE_TYPE: {error}") from None


def settings_table() -> str:
    """Write the settings as the table that stands in the documentation."""
    rows = [
        f"| `{each.name}` | `{each.default!r}` | {each.used_by} | {each.meaning} |"
        for each in SETTINGS
    ]
    head = ["| setting | default | used by | meaning |", "|---|---|---|---|"]
    return "\n".join([*head, *rows])
