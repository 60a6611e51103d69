import sys

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from jinja_fragcache.stores import MemoryStore
from jinja_fragcache.stores.memory_entry import ENTRY_BYTES
from tests.support import Clock

pytestmark = pytest.mark.slow


def bytes_of(key: str, value: object) -> int:
    return sys.getsizeof(key) + sys.getsizeof(value) + ENTRY_BYTES


KEYS = st.sampled_from("abcdefgh")


TEXTS = st.text(max_size=5) | st.sampled_from(["x" * 200, "x" * 390, "\u20ac" * 200])


WHAT = TEXTS | st.integers(-(2**70), 2**70)


TIMEOUTS = st.none() | st.integers(0, 12)


class AgainstAModel(RuleBasedStateMachine):
    """A store that may forget what it was given, but nothing else.

    The model keeps all that was written: the value that a key has, if it has one, and
    when that ends.
    """

    THRESHOLD = 5
    MAX_BYTES = 1500

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.store = MemoryStore(
            self.THRESHOLD,
            default_timeout=7,
            max_bytes=self.MAX_BYTES,
            timer=self.clock,
        )
        self.written: dict[str, tuple[object, float]] = {}

    def expected(self, key: str) -> object:
        value, ends = self.written.get(key, (None, 0))
        return value if ends > self.clock.now else None

    def ends(self, timeout: int | None) -> float:
        seconds = 7 if timeout is None else timeout
        return self.clock.now + seconds if seconds else float("inf")

    def note(self, key: str, value: object, ends: float, *, kept: bool) -> None:
        assert kept == (bytes_of(key, value) <= self.MAX_BYTES)
        if kept:
            self.written[key] = (value, ends)
            assert self.store._live_entry(key) is not None
        else:
            self.written.pop(key, None)

    @rule(key=KEYS, value=WHAT, timeout=TIMEOUTS)
    def set(self, key: str, value: object, timeout: int | None) -> None:
        kept = self.store.set(key, value, timeout)
        self.note(key, value, self.ends(timeout), kept=kept)

    @rule(values=st.dictionaries(KEYS, WHAT, max_size=3), timeout=TIMEOUTS)
    def set_many(self, values: dict[str, object], timeout: int | None) -> None:
        kept = self.store.set_many(values, timeout)
        for key, value in values.items():
            assert (key in kept) == (bytes_of(key, value) <= self.MAX_BYTES)
            self.written.pop(key, None)
            if key in kept:
                self.written[key] = (value, self.ends(timeout))

    @rule(key=KEYS, value=WHAT, timeout=TIMEOUTS)
    def add(self, key: str, value: object, timeout: int | None) -> None:
        had = self.store.has(key)
        added = self.store.add(key, value, timeout)
        if had:
            assert not added
        else:
            self.note(key, value, self.ends(timeout), kept=added)

    @rule(key=KEYS, delta=st.integers(-(2**40), 2**40), down=st.booleans())
    def count(self, key: str, delta: int, down: bool) -> None:
        old = self.expected(key) if self.store.has(key) else 0
        ends = self.written[key][1] if self.store.has(key) else self.ends(None)
        counted = (self.store.dec if down else self.store.inc)(key, delta)
        if isinstance(old, int):
            assert counted == old + (-delta if down else delta)
            self.note(key, counted, ends, kept=True)
        else:
            assert counted is None

    @rule(key=KEYS)
    def get(self, key: str) -> None:
        had = self.store.has(key)
        value = self.store.get(key)
        assert value == (self.expected(key) if had else None)
        assert had == (value is not None)

    @rule(keys=st.lists(KEYS, max_size=4))
    def get_many(self, keys: list[str]) -> None:
        wanted = [self.expected(key) if self.store.has(key) else None for key in keys]
        assert self.store.get_many(*keys) == wanted

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        assert self.store.has(key) == self.store.delete(key)
        assert not self.store.has(key)
        self.written.pop(key, None)

    @rule(keys=st.lists(KEYS, max_size=3))
    def delete_many(self, keys: list[str]) -> None:
        assert self.store.delete_many(*keys) == keys
        for key in keys:
            self.written.pop(key, None)

    @rule()
    def clear(self) -> None:
        assert self.store.clear() is True
        assert len(self.store) == 0
        self.written.clear()

    @rule(seconds=st.sampled_from([0.5, 1, 3, 7, 100]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def limits_hold(self) -> None:
        assert len(self.store) <= self.THRESHOLD
        assert self.store.used_bytes <= self.MAX_BYTES

    @invariant()
    def bytes_are_those_of_what_is_kept(self) -> None:
        kept = self.store._entries
        sizes = [bytes_of(key, slot.value) for key, slot in kept.items()]
        assert self.store.used_bytes == sum(sizes)

    @invariant()
    def nothing_else_is_kept(self) -> None:
        for key in "abcdefgh":
            if self.store.has(key):
                assert self.store._entries[key].value == self.expected(key)


TestAgainstAModel = AgainstAModel.TestCase
