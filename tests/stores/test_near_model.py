"""Two processes that keep near what they read from one store, compared with a model."""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from jinja_fragcache import Stats
from jinja_fragcache.access.adapt import adapt
from jinja_fragcache.access.breaker import Breaker
from jinja_fragcache.access.near_adapter import NearAdapter
from jinja_fragcache.access.near_store import NearReads
from jinja_fragcache.access.safe_stores import safe_store_of
from jinja_fragcache.access.stats import Recorder
from jinja_fragcache.operations import Operation, perform
from jinja_fragcache.stores.near import NearMemory
from tests.support import Clock

pytestmark = pytest.mark.slow

NEAR = 2.0
NAMES = "abc"
KEYS = st.sampled_from(NAMES)
LISTS = st.lists(KEYS, min_size=1, max_size=3, unique=True)
PROCESSES = st.integers(0, 1)
TIMEOUTS = st.sampled_from([0, 1, 3, 300])


@dataclass
class Held:
    """A value that the store held, from one change to another or to its expiry."""

    value: int
    expires: float
    ended: float = float("inf")
    ended_by: float = float("inf")


@dataclass
class Remote:
    """The store. It records each change with a number, and what it held until then."""

    clock: Clock
    held: dict[str, list[Held]] = field(default_factory=dict)
    change: int = 0

    def get(self, key: str) -> int | None:
        last = self.held.get(key, [])[-1:]
        live = last and min(last[0].ended, last[0].expires) > self.clock.now
        return last[0].value if live else None

    def get_with_remaining(self, *keys: str) -> list[tuple[int | None, float | None]]:
        values = [self.get(key) for key in keys]
        return [
            (
                value,
                None if value is None else self.held[key][-1].expires - self.clock.now,
            )
            for key, value in zip(keys, values, strict=True)
        ]

    def set(self, key: str, value: int, timeout: int | None = None) -> None:
        self.delete(key)
        expires = self.clock.now + timeout if timeout else float("inf")
        self.held.setdefault(key, []).append(Held(value, expires))

    def delete(self, key: str) -> bool:
        self.change += 1
        for last in self.held.get(key, [])[-1:]:
            last.ended = min(last.ended, self.clock.now)
            last.ended_by = min(last.ended_by, self.change)
        return True

    def clear(self) -> None:
        for key in self.held:
            self.delete(key)

    def of_value(self, key: str, value: int) -> Held:
        (found,) = [each for each in self.held[key] if each.value == value]
        return found


class Process:
    """What one process has."""

    def __init__(self, remote: Remote, clock: Clock) -> None:
        self.memory = NearMemory(NEAR, 2, timer=clock)
        adapter = adapt(remote, self.memory)
        assert isinstance(adapter, NearAdapter)
        self.adapter = adapter
        self.store = safe_store_of(
            adapter,
            blocking=True,
            recorder=Recorder(Stats()),
            breaker=Breaker(timer=clock),
            default_timeout=None,
        )
        self.plain = NearReads(adapter, Stats())
        #: For each key, the last change that this process has made or was told of.
        self.knows: dict[str, int] = {}
        self.messages: list[tuple[str, int]] = []
        self.reading: list[tuple[Operation[Any], Any]] = []


class NearAgainstAModel(RuleBasedStateMachine):
    """No process reads what is older than allowed, or than what it knows."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.remote = Remote(self.clock)
        self.processes = [Process(self.remote, self.clock) for _ in range(2)]
        self.values = iter(range(10**6))

    def run(self, which: int, keys: str, operation: Generator[Any, Any, Any]) -> None:
        """Let one process change something, of which the other one may be told."""
        perform(operation)
        for number, process in enumerate(self.processes):
            for key in keys:
                if number == which:
                    process.knows[key] = self.remote.change
                else:
                    process.messages.append((key, self.remote.change))

    def check(self, which: int, key: str, value: int | None) -> None:
        if value is None:
            assert self.remote.get(key) is None
            return
        held, now = self.remote.of_value(key, value), self.clock.now
        assert now < held.expires
        assert held.ended > now - NEAR
        assert held.ended_by > self.processes[which].knows.get(key, 0)

    @rule(which=PROCESSES, key=KEYS, timeout=TIMEOUTS)
    def set(self, which: int, key: str, timeout: int) -> None:
        store = self.processes[which].store
        self.run(which, key, store.write({key: (next(self.values), timeout)}))

    @rule(which=PROCESSES, keys=LISTS, timeout=TIMEOUTS)
    def replace(self, which: int, keys: list[str], timeout: int) -> None:
        values: dict[str, str | int] = {key: next(self.values) for key in keys}
        store = self.processes[which].store
        self.run(which, "".join(keys), store.replace(values, timeout))

    @rule(which=PROCESSES, keys=LISTS)
    def delete(self, which: int, keys: list[str]) -> None:
        self.run(which, "".join(keys), self.processes[which].store.delete(keys))

    @rule(which=PROCESSES)
    def clear(self, which: int) -> None:
        self.run(which, NAMES, self.processes[which].store.clear())

    @rule(which=PROCESSES, keys=LISTS)
    def read(self, which: int, keys: list[str]) -> None:
        values = perform(self.processes[which].store.read(keys))
        for key, value in zip(keys, values, strict=True):
            self.check(which, key, value)

    @rule(which=PROCESSES, key=KEYS)
    def read_on_the_fast_path(self, which: int, key: str) -> None:
        self.check(which, key, self.processes[which].plain.get(key))

    @rule(which=PROCESSES, keys=LISTS)
    def begin_to_read(self, which: int, keys: list[str]) -> None:
        """The store has answered, and the process has not seen the answer yet."""
        process = self.processes[which]
        operation = process.adapter.read_through(keys)
        process.reading.append((operation, next(operation)))

    @rule(which=PROCESSES, at=st.integers(0, 3))
    def end_to_read(self, which: int, at: int) -> None:
        reading = self.processes[which].reading
        if at < len(reading):
            operation, answer = reading.pop(at)
            with pytest.raises(StopIteration):
                operation.send(answer)

    @rule(which=PROCESSES, number=st.integers(1, 3))
    def be_told(self, which: int, number: int) -> None:
        """The messages of changes come late, in their order."""
        process = self.processes[which]
        for key, change in process.messages[:number]:
            process.memory.note_changes([key])
            process.knows[key] = max(change, process.knows.get(key, 0))
        del process.messages[:number]

    @rule(which=PROCESSES)
    def lose_the_connection(self, which: int) -> None:
        process = self.processes[which]
        process.memory.note_change_of_all()
        process.messages.clear()

    @rule(seconds=st.sampled_from([0.25, 0.75, 1, 1.5]))
    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds


TestNearAgainstAModel = NearAgainstAModel.TestCase
