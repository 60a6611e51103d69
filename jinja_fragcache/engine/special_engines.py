"""The engines of caches whose hits need more than the fast path of `Engine` does.

They are classes of their own, so that a hit of any other cache does nothing for that.
"""

from collections.abc import Sequence
from typing import Any

from jinja_fragcache.entries.freshness import Wanted
from jinja_fragcache.operations import perform_async
from jinja_fragcache.stores.base import Store

from .context import Context
from .engine import Engine, Undecided
from .policy import Policy
from .tag_hints import ALL_KEYS
from .verify import draw
from .whole import Whole


class _DrawingReads:
    """Reads of one key, some of which are `Undecided` because they are to be verified.

    Args:
        reads: Has `get`, which returns what the store has.
        context: The cache.
    """

    def __init__(self, reads: Any, context: Context) -> None:
        self._get = reads.get
        self._context = context

    def get(self, key: str) -> Any:
        """Return what the store has, or `Undecided`."""
        stored = self._get(key)
        return Undecided(stored, is_chosen=True) if draw(self._context) else stored


class VerifyingEngine(Engine):
    """The engine of a cache that verifies hits."""

    def __init__(self, store: Store, policy: Policy, **more: Any) -> None:
        super().__init__(store, policy, **more)
        self.reads = _DrawingReads(self.reads, self.context)

    def near_text(self, key: str, wanted: Wanted) -> str | None:
        """Return None, so that `text_async` chooses."""
        return None

    async def text_async(self, key: str, wanted: Wanted) -> str | Undecided:
        """Like `Engine.text_async`. What is to be verified is `Undecided`."""
        if not draw(self.context):
            return await super().text_async(key, wanted)
        (stored,) = await perform_async(self.async_context.store.read([key]))
        return Undecided(stored, is_chosen=True)

    def _decide_all(
        self, keys: Sequence[str], stored: Sequence[object], wanted: Wanted
    ) -> str | list[str | None]:
        # `find_rows` chooses.
        return [None for _ in keys]


class VaryingEngine(Engine):
    """The engine of a cache that has a `vary_on` or an `unless` of its own.

    No look-up takes the fast path, which knows nothing of them.
    """

    def __init__(self, store: Store, policy: Policy, **more: Any) -> None:
        super().__init__(store, policy, **more)
        self.whole, self.differs = Whole(policy), True
        self._quiet_keys = self.tagged_keys = ALL_KEYS


def special_engine(policy: Policy) -> type[Engine]:
    """Return the class of the engine of a cache that varies, or verifies hits."""
    is_varying = policy.vary_on is not None or policy.unless is not None
    return VaryingEngine if is_varying else VerifyingEngine
