"""For tests of applications: a cache of their own, and what is stored and rendered.

With pytest, the fixture `fragment_cache` is a `CacheTester`. Without it:

    with isolated(app) as fragment_cache:
        client.get("/")
        fragment_cache.assert_cached("sidebar", 7)
"""

from .clock import Clock as Clock
from .isolation import isolated as isolated
from .tester import CacheTester as CacheTester

__all__ = ["CacheTester", "Clock", "isolated"]
