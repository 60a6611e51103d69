"""A safe store in the memory of this process, whose calls are made at once.

Nothing there has to be awaited, and no call takes long. So what each miss does is a
plain call and no operation. That saves half of the steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jinja_fragcache.operations import Operation
from jinja_fragcache.stores.base import Timed

from .failures import is_down
from .safe_store import SafeStore
from .store_check import check_kept

# An entry and its tags, mostly: `get_many`, which takes a lock, is faster for more.
_FEW_KEYS = 3


class LocalStore(SafeStore):
    """A `SafeStore` of a store that never blocks, with plain methods beside its own."""

    def read_now(self, key: str) -> Any:
        """Like `read`, for one key."""
        if not self._breaker.is_closed and not self._may_call():
            return None
        try:
            stored = self._adapter.store.get(key)
        except Exception as error:  # noqa: BLE001 - reads fail open
            self.read_failed([key], error)
            return None
        if not self._breaker.is_closed:
            self._breaker.succeeded()
        return stored

    def write_now(self, key: str, value: str | int, timeout: int | None) -> bool:
        """Like `write`, for one value; return whether it was written.

        Args:
            key: The key.
            value: The value.
            timeout: As for `write`.
        """
        if not self._breaker.is_closed and not self._may_call():
            return False
        if timeout is None:
            timeout = self._default_timeout
        store = self._adapter.store
        try:
            answer = store.set(key, value, timeout=timeout)
            if answer is not True:
                check_kept(store, answer)
        except Exception as error:  # noqa: BLE001 - writes fail open
            self.failed("write", [key], error)
            if is_down(error):
                self._breaker.failed()
            return False
        if not self._breaker.is_closed:
            self._breaker.succeeded()
        recorder = self._recorder
        recorder.stats.stored += 1
        if recorder.audience is not None:
            recorder.announce("set", key)
        return True

    def read(self, keys: Sequence[str]) -> Operation[list[Any]]:
        """Like `SafeStore.read`."""
        if self._plain_run is not None:
            return (yield from super().read(keys))
        return self.read_all_now(keys)

    def read_all_now(self, keys: Sequence[str]) -> list[Any]:
        """Like `SafeStore.read_all_now`."""
        # Not by `_read_plainly`: each hit with a tag comes here, and would take 4%
        # longer. What a store in memory returns need not be counted.
        if not self._breaker.is_closed and not self._may_call():
            return [None] * len(keys)
        store = self._adapter.store
        try:
            if len(keys) <= _FEW_KEYS:
                # One by one, and the entry before the versions of its tags: if one of
                # these is replaced meanwhile, the entry does not match it any more.
                stored = list(map(store.get, keys))
            else:
                stored = list(store.get_many(*keys))
        except Exception as error:  # noqa: BLE001 - reads fail open
            self.read_failed(keys, error)
            return [None] * len(keys)
        if not self._breaker.is_closed:
            self._breaker.succeeded()
        return stored

    def read_again(self, keys: Sequence[str]) -> Operation[list[Any]]:
        """Like `SafeStore.read_again`: nothing is nearer."""
        return self.read(keys)

    def write(self, values: Mapping[str, Timed]) -> Operation[list[str]]:
        """Like `SafeStore.write`."""
        if len(values) > 1 or self._plain_run is not None:
            return (yield from super().write(values))
        return [key for key, timed in values.items() if self.write_now(key, *timed)]
