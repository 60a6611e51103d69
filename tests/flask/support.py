"""What the tests of the Flask extension share."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from flask import Flask

from jinja_fragcache import Cache, MemoryStore
from jinja_fragcache.flask.app_setup import make_app_cache
from tests.support import Clock, Counter


class Site:
    """An application with a cache, a clock set by hand, and a counter for its views."""

    def __init__(self, **settings: Any) -> None:
        self.app = Flask(__name__)
        self.app.secret_key = "for tests"
        self.clock = Clock()
        self.store = MemoryStore(timer=self.clock)
        settings.setdefault("CACHE_TYPE", self.store)
        self.cache = Cache(self.app, config=settings)
        self.calls = Counter()

    def get(self, *urls: str, **options: Any) -> list[str]:
        """Return the texts of the answers to GET requests."""
        client = self.app.test_client()
        return [client.get(url, **options).text for url in urls]


def make_cache(**settings: Any) -> Cache:
    """Return a cache for a new application."""
    settings.setdefault("CACHE_TYPE", "simple")
    return Cache(Flask(__name__), config=settings)


def made(app: Flask | None = None, **settings: Any) -> Any:
    """Return the store that settings describe."""
    app = app or Flask(__name__)
    app_cache = make_app_cache(app, settings, strict=lambda: False)
    return app_cache.fragment_cache.store


def check_works(store: Any) -> None:
    """Check that a store writes, reads and deletes."""
    store.set("k", "text", timeout=30)
    assert store.get("k") == "text"
    store.delete("k")
    assert store.get("k") is None


def flask_caching_source() -> Path:
    """Return the folder of the installed Flask-Caching, without importing it."""
    spec = find_spec("flask_caching")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent
