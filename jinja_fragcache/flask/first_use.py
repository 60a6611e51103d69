"""Decides when a cache is first used whether it caches.

Applications are often made first and set to testing afterwards, as in
`app = create_app(); app.testing = True`.
"""

import threading
from collections.abc import Callable
from typing import Any

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.engine.policy import Policy
from jinja_fragcache.forks import free_after_fork


class UndecidedCache(FragmentCache):
    """A `FragmentCache` that is chosen when one of its attributes is first read.

    It is then a plain `FragmentCache` itself, so later calls take no longer.

    Args:
        choose: Returns the cache whose attributes this one gets. It is called once.
        policy: The rules, which are known before.
    """

    def __init__(self, choose: Callable[[], FragmentCache], policy: Policy) -> None:
        self.policy = policy
        self._choose = choose
        self._lock = free_after_fork(threading.Lock())

    def __getattr__(self, name: str) -> Any:
        """Choose, and return an attribute of the chosen cache.

        Raises:
            AttributeError: If no cache has such an attribute.
        """
        # Underscored ones are looked for by pickle and copy, and by this class itself
        # if it was not initialized.
        if name.startswith("_"):
            raise AttributeError(name)
        with self._lock:
            if self.__class__ is not FragmentCache:
                self.__dict__.update(vars(self._choose()))
                # In place of a call for each look-up, as that of a proxy.
                self.__class__ = FragmentCache  # type: ignore[assignment]
        return getattr(self, name)
