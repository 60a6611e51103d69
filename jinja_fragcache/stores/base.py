"""What a store is, and the one shape that the layers above work with."""

from typing import Any, Protocol


class Store(Protocol):
    """A store as users bring it: a cachelib cache has this form, and many others do.

    A store may also have `clear()`. Its methods may be coroutine functions; then all
    of them must be.
    """

    def get(self, key: str, /) -> Any:
        """Give the value of a key, or None where there is none."""
        ...

    def set(self, key: str, value: Any, /, timeout: int | None = None) -> Any:
        """Keep a value.

        Args:
            key: at most 200 characters of printable ASCII.
            value: what to keep.
            timeout: seconds, 0 for ever, None for the store's own default.

        Returns:
            False where the value was not kept; anything else means that it was.
        """
        ...

    def delete(self, key: str, /) -> Any:
        """Forget a key. That there is no such key is no error."""
        ...


class SyncStore(Protocol):
    """A store behind its adapter, for callers that can wait."""

    blocking: bool

    def get(self, key: str) -> Any:
        """Give the value of a key, or None."""
        ...

    def set(self, key: str, value: str, timeout: int | None) -> None:
        """Keep a text for `timeout` seconds (0 for ever, None: the store's default).

        Raises:
            StoreError: the store said that it did not keep it.
        """
        ...

    def delete(self, key: str) -> None:
        """Forget a key."""
        ...

    def clear(self) -> None:
        """Forget everything.

        Raises:
            StoreError: the store can't, or said that it did not.
        """
        ...


class AsyncStore(Protocol):
    """The same for callers on an event loop."""

    async def get(self, key: str) -> Any:
        """Give the value of a key, or None."""
        ...

    async def set(self, key: str, value: str, timeout: int | None) -> None:
        """Keep a text, as `SyncStore.set` does."""
        ...

    async def delete(self, key: str) -> None:
        """Forget a key."""
        ...

    async def clear(self) -> None:
        """Forget everything, as `SyncStore.clear` does."""
        ...
