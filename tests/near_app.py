"""An application that keeps near what it reads, for servers that fork.

Its page has been rendered when the server forks.
"""

import os
from collections.abc import Callable, Iterable
from typing import Any

from jinja_fragcache.stores import RedisStore
from tests.near_site import FOR_EVER, NearSite


def application() -> Callable[..., Iterable[bytes]]:
    """Return a WSGI application, whose `/delete` deletes what its `/` has cached."""
    texts = (f"{os.getpid()} {number}" for number in range(10**6))
    store = RedisStore("127.0.0.1", int(os.environ["NEAR_PORT"]), key_prefix="app:")
    site = NearSite(store, lambda: next(texts), near=FOR_EVER)
    site.cache.clear()
    site.wait_until_told()
    site.page()

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/delete":
            site.cache.delete_fragment("x")
        start_response("200 OK", [])
        return [f"{os.getpid()} {site.page()}".encode()]

    return serve
