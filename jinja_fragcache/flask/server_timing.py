"""Sends the `Server-Timing` header in debug mode."""

from typing import Any

from flask import Flask, Response, request_finished, request_started

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.observe.server_timing import ServerTiming


class TimedRequests:
    """Adds the header to the answers of one application.

    It has to be kept alive, because signals hold their receivers weakly.

    Args:
        app: The application.
        cache: Its cache.
        wanted: Whether to send the header; None for in debug mode.
    """

    def __init__(self, app: Flask, cache: FragmentCache, wanted: bool | None) -> None:
        self._app = app
        self._cache = cache
        self._wanted = wanted
        self._timing = ServerTiming()
        self._listens = False
        if wanted is not False:
            request_started.connect(self._start, app)

    def _start(self, *_: Any, **__: Any) -> None:
        # Here, because `app.run(debug=True)` sets it after the cache was made.
        wanted = self._app.debug if self._wanted is None else self._wanted
        if wanted != self._listens:
            self._turn(wanted)
        if wanted:
            self._timing.start()

    def _turn(self, is_on: bool) -> None:
        self._listens = is_on
        # A signal costs something for each receiver, so there is none without need.
        if is_on:
            self._cache.listen(self._timing)
            request_finished.connect(self._finish, self._app)
        else:
            self._cache.unlisten(self._timing)
            request_finished.disconnect(self._finish, self._app)

    def _finish(self, _: Flask, response: Response, **__: Any) -> None:
        header = self._timing.header()
        if header:
            response.headers.add("Server-Timing", header)
