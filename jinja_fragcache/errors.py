"""The exceptions of this package.

All of them derive from `FragmentCacheError`. A mistake in a template's source is a
`jinja2.TemplateSyntaxError`, as for any other tag. Every message names the cause and
what to write instead.
"""

from __future__ import annotations

from jinja2 import TemplateRuntimeError


class FragmentCacheError(Exception):
    """Base class of all exceptions of this package.

    Args:
        message: The message.
        for_log: The message without the values that it shows, which may be personal;
            None if it shows none.

    Attributes:
        for_log: The message as logs show it: it says what is wrong and where, but shows
            no key value and no cached value.
    """

    def __init__(self, message: str = "", *, for_log: str | None = None) -> None:
        super().__init__(message)
        self.for_log: str = message if for_log is None else for_log


class KeyValueError(FragmentCacheError, TypeError, ValueError):
    """A value can't be part of a key, because nothing identifies it.

    That holds for an undefined variable, for an object whose repr is an address in
    memory (another object may get the same address) or does not show all that the
    object is, and for a value whose own methods raise. A `vary_on` that is not a list
    of values, and a fragment's name or a tag that is not a string, raise it as well.

    `make_template_fragment_key`, `cache_tag`, and the methods that delete a fragment or
    invalidate tags raise it. While a template is rendered, a strict cache (Flask's
    debug and testing modes, `FragmentCache(strict=True)`) raises a `FragmentTagError`
    instead. A cache that is not strict renders the body uncached, and logs one warning
    for each tag. Functions cached with `cached` or `memoize` follow the same rule, but
    raise this exception itself.

    Example:
        `make_template_fragment_key("row", [object()])` raises it. Write what identifies
        the object, as in `[user.id]`, or give its class a method `__cache_key__()`.
    """

    def naming(self, name: str) -> KeyValueError:
        """Return the same error about a value that is not a key value.

        Args:
            name: What the message calls the value, such as "The version".
        """
        return KeyValueError(
            str(self).replace("A key value", name, 1),
            for_log=self.for_log.replace("A key value", name, 1),
        )

    def inside(self, value: str) -> KeyValueError:
        """Return the same error about a value that is a part of another one.

        Args:
            value: What the message calls that, such as "an object of list".
        """
        where = f" It is a part of {value}."
        return KeyValueError(f"{self}{where}", for_log=f"{self.for_log}{where}")


class TimeoutValueError(FragmentCacheError, ValueError):
    """A value is not a timeout.

    A timeout is a number of seconds from 0 (never expires) to 2147483647, a
    `datetime.timedelta`, or None for the cache's default.

    Everything that takes a timeout raises it: `FragmentCache(default_timeout=...)`, the
    stores, and `set`, `cached` and `memoize` of the Flask extension. In a cache tag, a
    wrong constant is a `jinja2.TemplateSyntaxError`, and a wrong value at render time
    is a `FragmentTagError`. In Flask's configuration, it is a `SettingError`.
    """


class PolicyError(FragmentCacheError, ValueError):
    """An option of a cache has a value that is not allowed.

    `FragmentCache(...)` raises it for `stale`, `stale_if_error`, `early_refresh`,
    `jitter`, `lock_timeout`, `retry_after`, `template_digest`, `vary_on`, `unless` and
    `serializer`, and the decorators `cached` and `memoize` for `stale` and
    `stale_if_error`. In a cache tag, a wrong constant is a
    `jinja2.TemplateSyntaxError`, and a wrong value at render time is a
    `FragmentTagError`. In Flask's configuration, it is a `SettingError`.

    Args:
        name: The name of the option.
        given: Its value, as `describe` in `jinja_fragcache.messages` shows it.
        allowed: The values that are allowed.

    Attributes:
        name: The name of the option, such as "jitter".

    Example:
        `FragmentCache(jitter=2)` raises "jitter can't be 2 (int). It is a number from 0
        to 1."
    """

    def __init__(self, name: str, given: str, allowed: str) -> None:
        self.name = name
        super().__init__(f"{name} can't be {given}. It is {allowed}.")


class SettingError(FragmentCacheError, ValueError):
    """A setting or argument of the Flask extension is not allowed.

    `Cache(...)` and `Cache.init_app` raise it, for a setting with a wrong value as well
    as for a setting that does not exist. So does every use of a `Cache` that can't tell
    for which application it is used, or that was not set up for the current one.
    """


class SerializationError(FragmentCacheError, TypeError):
    """A value can't be serialized so that it is the same when it is read back.

    Which values can be depends on the setting `CACHE_SERIALIZER`. In Flask's debug and
    testing modes, `set` and functions that are cached with `cached` or `memoize` raise
    it. Otherwise, the value is not stored, and a warning is logged.
    """


class UncoveredReadError(FragmentCacheError, TemplateRuntimeError):
    """A body reads what differs between requests, and its key lacks it.

    Stored, the text of one user would be shown to the next. A strict cache (Flask's
    debug and testing modes, `FragmentCache(strict=True)`) raises this exception. One
    that is not strict doesn't store the entry, and logs one warning for each place.

    Example:
        `{% cache 300, "sidebar" %}{{ current_user.name }}{% endcache %}` raises it.
        Write `{% cache 300, "sidebar", current_user.id %}`.
    """


class WrongCallError(FragmentCacheError, TypeError):
    """A memoized function does not accept the arguments that were given.

    `delete_memoized(f, ...)` and `f.make_cache_key(...)` raise it. A call of the
    function itself raises Python's own TypeError.

    Example:
        `cache.delete_memoized(add, 1)` raises it if `add` takes two numbers. Write
        `cache.delete_memoized(add, 1, 2)`, or `delete_memoized(add)` for all calls.
    """


class VerificationError(FragmentCacheError, TemplateRuntimeError):
    """A hit is not what making the value again gives.

    A cache that verifies all hits (`verify=1`) raises it if it is strict (Flask's
    debug and testing modes, `FragmentCache(strict=True)`). Others log one line for each
    place, and count it in `stats().differed`.
    """


class StoreError(FragmentCacheError):
    """A store failed, or an object can't be used as a store.

    Methods that delete, clear or invalidate raise it if the store fails, because what
    was to be deleted may still be served. With the setting `CACHE_IGNORE_ERRORS`, those
    of the Flask extension log it and return False instead. Failures of reads and writes
    are only logged, and the fragment is rendered.

    `FragmentCache(store)` raises it if the object lacks `get`, `set` or `delete`, and
    a store if the package that it needs is not installed.
    """


class AsyncOnlyError(StoreError):
    """A store with coroutine methods was used where nothing can await them.

    Create the environment with `enable_async=True`, call the methods whose names end in
    `_async`, or use a store with plain methods.
    """


class DamagedValueError(StoreError):
    """A server returned something under a key that was not stored there in that form.

    Reads of the stores on servers raise it. A `FragmentCache` takes it for a miss, and
    writes the entry again.
    """


class FragmentTagError(FragmentCacheError, TemplateRuntimeError):
    """A cache tag got a wrong value while its template was rendered.

    The message names the template and the line. Raised for a timeout or another option
    that is not allowed, in strict caches for a key value that nothing identifies (see
    `KeyValueError`), and for a template included in `{% nocache %}` that uses a name
    bound by the fragment around it.
    """


class CheckError(FragmentCacheError):
    """The templates can't be checked: a path, a setting or an option is wrong.

    Only `jinja-fragcache check` and `jinja-fragcache list` raise it, and print it.
    """


class NeedsRequestError(FragmentCacheError):
    """A body that is made behind the request needs it. A caller makes it then."""


class ListenerError(FragmentCacheError, TypeError):
    """What should be told what a cache does is no listener.

    `FragmentCache(listeners=...)`, `FragmentCache.listen` and `CACHE_LISTENERS` raise
    it.

    Example:
        `cache.listen(print)` raises it. Write a subclass of `Listener`, whose
        `on_report` calls print, and `cache.listen(Mine())`.
    """
