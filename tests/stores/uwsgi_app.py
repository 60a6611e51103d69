"""Runs in a uWSGI server, and calls the methods of a store for clients over HTTP."""

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

import uwsgi

from jinja_fragcache.stores import UWSGIStore

# uWSGI can't tell how long an entry lives, so the writes are recorded.
written: dict[str, int] = {}


class RecordingModule:
    """The module `uwsgi`, recording the seconds of each write."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._inner, name)
        if name not in {"cache_set", "cache_update"}:
            return function

        def recording(key: str, value: bytes, seconds: int, cache: str) -> Any:
            written[key] = seconds
            return function(key, value, seconds, cache)

        return recording


# cachelib imports the module when the store is made.
sys.modules["uwsgi"] = RecordingModule(uwsgi)  # type: ignore[assignment]  # stands for the module
store = UWSGIStore(cache="shop")


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
    """Answer with what a method returns, as JSON."""
    length = int(environ["CONTENT_LENGTH"])
    method, args, kwargs = json.loads(environ["wsgi.input"].read(length))
    answer: Any
    if method == "remaining":
        answer = written[args[0]]
    elif method == "stored":
        answer = list(uwsgi.cache_get(args[0], "shop") or b"")
    else:
        answer = getattr(store, method)(*args, **kwargs)
    start_response("200 OK", [("Content-Type", "application/json")])
    body: Iterable[bytes] = [json.dumps(answer).encode()]
    return body
