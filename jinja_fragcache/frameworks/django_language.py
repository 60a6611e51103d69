"""Notes that bodies read Django's current language."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

from jinja_fragcache.engine.dependencies import quietly
from jinja_fragcache.engine.noted_reads import note_kept_read, note_read

from .reading import is_noting

#: The name of the read.
LANGUAGE = "language"
_MODULE = "django.utils.translation"
_FUNCTIONS = (
    *("get_language", "get_language_bidi", "gettext", "ngettext", "npgettext"),
    "pgettext",
)
_SEVERAL = ".LocaleMiddleware"
_NOTING = "_fragcache_is_noting"


def watch_language() -> None:
    """Let Django's functions that use the current language note that."""
    # All of its public functions call those of this object.
    functions: Any = sys.modules[_MODULE]._trans  # noqa: SLF001 - there is no other way
    if not hasattr(functions.get_language, _NOTING):
        for name in _FUNCTIONS:
            setattr(functions, name, _noting_language(getattr(functions, name)))


def current_language() -> str:
    """Return the current language, such as `de`.

    Raises:
        LookupError: If Django is not used.
    """
    return str(sys.modules[_MODULE].get_language())


def note_language() -> None:
    """Note that the current language was read.

    Unless Django chooses one for each request, it is nearly always the same, so that
    the entry keeps it.
    """
    with quietly():
        language = current_language()
    settings: Any = sys.modules["django.conf"].settings
    if any(each.endswith(_SEVERAL) for each in settings.MIDDLEWARE):
        note_read(LANGUAGE, language)
    else:
        note_kept_read(LANGUAGE, language)


def _is_for_urls() -> bool:
    """Return whether a URL is being made that is the same in all languages."""
    # This function, the one that asks, Django's public function, and what calls it.
    caller: str = sys._getframe(3).f_globals.get("__name__", "")  # noqa: SLF001 - as `logging` does
    if caller != "django.urls.resolvers":
        return False
    prefixes: Any = sys.modules.get("django.conf.urls.i18n")
    if prefixes is None:
        return True
    urls = sys.modules["django.conf"].settings.ROOT_URLCONF
    has_prefix, _ = prefixes.is_language_prefix_patterns_used(urls)
    return not has_prefix


def _noting_language(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def noting(*args: Any, **kwargs: Any) -> Any:
        if not is_noting() or _is_for_urls():
            return original(*args, **kwargs)
        note_language()
        with quietly():
            return original(*args, **kwargs)

    setattr(noting, _NOTING, True)
    return noting
