"""Signals that are sent at hits, misses, writes, deletes and errors.

The sender is the application, as for Flask's own signals. Receivers get two keyword
arguments: `cache` is the `Cache`, and `key` is the key in its store.

The four signals of Flask-Caching are sent with CACHE_ENABLE_SIGNALS, for the calls of
decorated functions only. Their receivers get `cache`, `cache_key`, and the `args` and
`kwargs` of the call; for `memoize` also `f`, the function.
"""

from typing import Any

from blinker import Namespace
from flask import Flask

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.observe.events import Event
from jinja_fragcache.observe.listeners import Listener

_signals = Namespace()

cache_hit = _signals.signal(
    "fragcache-hit",
    doc="Sent when a fragment or value was served from the store.",
)
cache_miss = _signals.signal(
    "fragcache-miss",
    doc="Sent when a fragment or value was asked for and has to be made.",
)
cache_set = _signals.signal(
    "fragcache-set",
    doc="Sent when a fragment or value was stored.",
)
cache_delete = _signals.signal(
    "fragcache-delete",
    doc="Sent when a fragment or value was deleted.",
)
cache_error = _signals.signal(
    "fragcache-error",
    doc="Sent when a body or function raised and the stored value is served in its"
    " place. The keyword argument `error` is the exception.",
)

cache_view_hit = _signals.signal(
    "cache-view-hit",
    doc="Sent with CACHE_ENABLE_SIGNALS when a `cached` value was served.",
)
cache_view_miss = _signals.signal(
    "cache-view-miss",
    doc="Sent with CACHE_ENABLE_SIGNALS before a `cached` function is called.",
)
cache_memoize_hit = _signals.signal(
    "cache-memoize-hit",
    doc="Sent with CACHE_ENABLE_SIGNALS when a `memoize` value was served.",
)
cache_memoize_miss = _signals.signal(
    "cache-memoize-miss",
    doc="Sent with CACHE_ENABLE_SIGNALS before a `memoize` function is called.",
)


_BY_KIND: dict[str, Any] = {
    "hit": cache_hit,
    "miss": cache_miss,
    "set": cache_set,
    "delete": cache_delete,
    "error": cache_error,
}


class SignalListener(Listener):
    """Sends signals for the events in one application's cache.

    It listens only while some signal has a receiver.

    Args:
        app: The application.
        cache: The `Cache`.
    """

    def __init__(self, app: Flask, cache: Any) -> None:
        self._app = app
        self._cache = cache
        self._listens_to: list[FragmentCache] = []
        for signal in _BY_KIND.values():
            # Weakly, so the application keeps this object alive.
            signal.receiver_connected.connect(self._begin)

    def watch(self, cache: FragmentCache) -> None:
        """Listen to a cache as long as there are receivers."""
        self._listens_to.append(cache)
        if _has_receivers():
            self._begin()

    def _begin(self, *_: Any, **__: Any) -> None:
        for cache in self._listens_to:
            cache.listen(self)

    def on_event(self, event: Event) -> None:
        """Send the signal of an event."""
        if not _has_receivers():
            for cache in self._listens_to:
                cache.unlisten(self)
        elif event.kind in _BY_KIND:
            more = {"error": event.error} if event.kind == "error" else {}
            signal = _BY_KIND[event.kind]
            signal.send(self._app, cache=self._cache, key=event.key, **more)

    def announce_call(self, event: str, call: Any) -> None:
        """Send Flask-Caching's signal of a decorated function's call.

        Events tell of keys. These signals tell the arguments of calls, too, so they are
        sent where the call is made.

        Args:
            event: `hit` or `miss`.
            call: The `FunctionCall`.
        """
        about = {"cache": self._cache, "cache_key": call.key}
        about |= {"args": call.args, "kwargs": call.kwargs}
        if call.options.is_memoized:
            signal = cache_memoize_hit if event == "hit" else cache_memoize_miss
            signal.send(self._app, f=call.function, **about)
        else:
            signal = cache_view_hit if event == "hit" else cache_view_miss
            signal.send(self._app, **about)


def _has_receivers() -> bool:
    return any(signal.receivers for signal in _BY_KIND.values())
