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

_signals = Namespace()

#: Sent when a fragment or value was served from the store.
cache_hit = _signals.signal("fragcache-hit")
#: Sent when a fragment or value was asked for and has to be made.
cache_miss = _signals.signal("fragcache-miss")
#: Sent when a fragment or value was stored.
cache_set = _signals.signal("fragcache-set")
#: Sent when a fragment or value was deleted.
cache_delete = _signals.signal("fragcache-delete")
#: Sent when a body or function raised and the stored value is served in its place. The
#: keyword argument `error` is the exception.
cache_error = _signals.signal("fragcache-error")

#: With CACHE_ENABLE_SIGNALS: sent when the value of a `cached` function was served.
cache_view_hit = _signals.signal("cache-view-hit")
#: With CACHE_ENABLE_SIGNALS: sent before a `cached` function is called.
cache_view_miss = _signals.signal("cache-view-miss")
#: With CACHE_ENABLE_SIGNALS: sent when the value of a `memoize` function was served.
cache_memoize_hit = _signals.signal("cache-memoize-hit")
#: With CACHE_ENABLE_SIGNALS: sent before a `memoize` function is called.
cache_memoize_miss = _signals.signal("cache-memoize-miss")


class SignalAnnouncer:
    """Sends signals for the events in one application's cache.

    Args:
        app: The application.
        cache: The `Cache`.

    Attributes:
        receivers: For each event, the receivers of its signal. An event without any
            need not be announced.
    """

    def __init__(self, app: Flask, cache: Any) -> None:
        self._app = app
        self._cache = cache
        self._signals = {
            "hit": cache_hit,
            "miss": cache_miss,
            "set": cache_set,
            "delete": cache_delete,
            "error": cache_error,
        }
        self.receivers = {
            event: signal.receivers for event, signal in self._signals.items()
        }

    def announce(self, event: str, key: str, **more: Any) -> None:
        """Send the signal of an event.

        Args:
            event: `hit`, `miss`, `set`, `delete` or `error`.
            key: The key in the store.
            more: Further keyword arguments for the receivers.
        """
        self._signals[event].send(self._app, cache=self._cache, key=key, **more)

    def announce_call(self, event: str, call: Any) -> None:
        """Send Flask-Caching's signal of a decorated function's call.

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
