"""Signals: who wants to know of hits, misses, writes and deletes connects to them.

As Flask's own signals do, they come from the application, with keywords: `cache` is the
`Cache`, and `key` the key in its store.
"""

from typing import Any

from blinker import Namespace
from flask import Flask

_signals = Namespace()

#: A fragment or value was served from the store.
cache_hit = _signals.signal("fragcache-hit")
#: It was asked for and has to be made.
cache_miss = _signals.signal("fragcache-miss")
#: It was stored.
cache_set = _signals.signal("fragcache-set")
#: It was deleted.
cache_delete = _signals.signal("fragcache-delete")
#: A body or function raised, and what was stored before is served in its place. There
#: is one keyword more, `error`: the exception.
cache_error = _signals.signal("fragcache-error")


class SignalAnnouncer:
    """Tells of what happens in one application's cache by signals.

    Args:
        app: the application.
        cache: the `Cache`.
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
        """Send the signal of an event."""
        self._signals[event].send(self._app, cache=self._cache, key=key, **more)
