"""The store of an application, as those who come from Flask-Caching know it."""

from typing import Any

from .store_methods import StoreMethods
from .value_cache import AppCache


class ValueStore(StoreMethods):
    """An application's store, whose methods give and take values of any type.

    The store itself, `cache.fragment_cache.store`, keeps texts and numbers only. Here
    `get`, `set` and the other methods of `Cache` do what they do there. Everything else
    is the store's own: its further attributes, and the class that `isinstance` sees.

    Args:
        app_cache: The cache of the application.
    """

    def __init__(self, app_cache: AppCache) -> None:
        self._made_for_app = app_cache

    @property
    def _app_cache(self) -> AppCache:
        return self._made_for_app

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """The class of the store, for `isinstance`."""
        return self.fragment_cache.store.__class__

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the store.

        Raises:
            AttributeError: If the store has none of that name.
        """
        # Python asks for these by itself, when it copies an object for example.
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.fragment_cache.store, name)
