from typing import Any

import cachelib
import pytest

from jinja_fragcache.access.adapt import adapt
from jinja_fragcache.access.breaker import Breaker
from jinja_fragcache.access.local_store import LocalStore
from jinja_fragcache.access.safe_store import SafeStore
from jinja_fragcache.access.safe_stores import safe_store_of
from jinja_fragcache.access.seal import Seal
from jinja_fragcache.access.sealed_store import SealedStore
from jinja_fragcache.access.stats import Recorder, Stats
from jinja_fragcache.observe.meter import Meter
from jinja_fragcache.operations import perform
from jinja_fragcache.stores.memory import MemoryStore
from tests.support import Clock, Ears


class OwnStore(MemoryStore):
    """What a user has made of a store in memory may do anything."""


class Subject:
    def __init__(self, store: Any, **more: Any) -> None:
        self.store = store
        self.counts = Stats()
        self.ears = Ears("set")
        self.clock = Clock()
        self.made = safe_store_of(
            adapt(store),
            blocking=True,
            recorder=Recorder(self.counts, [self.ears]),
            breaker=Breaker(1, self.clock),
            default_timeout=60,
            **more,
        )

    @property
    def local(self) -> LocalStore:
        assert isinstance(self.made, LocalStore)
        return self.made

    def fail(self, monkeypatch: pytest.MonkeyPatch, *methods: str) -> None:
        def fail(*_: object, **__: object) -> None:
            raise OSError("broken")

        for name in methods:
            monkeypatch.setattr(self.store, name, fail)


@pytest.fixture(params=[MemoryStore, cachelib.SimpleCache])
def subject(request: pytest.FixtureRequest) -> Subject:
    return Subject(request.param())


def test_a_store_that_never_blocks_is_local(subject: Subject) -> None:
    assert type(subject.made) is LocalStore


@pytest.mark.parametrize(
    ("store", "more", "kind"),
    [
        (OwnStore(), {}, SafeStore),
        (MemoryStore(), {"seal": Seal("k" * 32, Clock())}, SealedStore),
    ],
)
def test_any_other_store_is_not_local(
    store: Any, more: dict[str, Any], kind: type[SafeStore]
) -> None:
    assert type(Subject(store, **more).made) is kind


def test_what_is_written_at_once_is_read_at_once(subject: Subject) -> None:
    assert subject.local.write_now("k", "text", 5)
    assert subject.local.read_now("k") == "text"
    assert subject.local.read_now("none") is None
    assert subject.counts == Stats(stored=1)
    assert subject.ears.heard == [("set", "k")]


def test_operations_see_the_same(subject: Subject) -> None:
    assert perform(subject.local.write({"a": ("1", 5)})) == ["a"]
    assert perform(subject.local.write({"b": ("2", 5), "c": ("3", 6)})) == ["b", "c"]
    assert perform(subject.local.read(["a", "none", "c"])) == ["1", None, "3"]
    assert perform(subject.local.read_again(["b"])) == ["2"]
    assert perform(subject.local.read([])) == []
    assert perform(subject.local.write({})) == []
    assert subject.counts == Stats(stored=3)


@pytest.mark.parametrize(
    ("timeout", "left"), [(5, 5), (None, 60), (0, float("inf"))], ids=str
)
def test_a_value_lives_as_long_as_it_is_told(timeout: int | None, left: float) -> None:
    clock = Clock()
    subject = Subject(MemoryStore(timer=clock))
    subject.local.write_now("k", "text", timeout)
    assert subject.store.remaining("k") == left


def test_what_fails_is_counted_and_then_skipped_for_a_while(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        subject.fail(broken, "get", "get_many", "set")
        assert subject.local.read_now("k") is None
        assert subject.counts == Stats(failures=1)
        assert subject.local.read_now("k") is None
        assert not subject.local.write_now("k", "text", 5)
        assert perform(subject.local.read(["k", "l"])) == [None, None]
        assert subject.counts == Stats(failures=1, skipped=3)
    subject.clock.now += 1
    assert subject.local.write_now("k", "text", 5)
    assert subject.local.answers
    assert subject.counts == Stats(stored=1, failures=1, skipped=3)


@pytest.mark.parametrize("do_it", ["read", "write"])
def test_the_first_call_that_succeeds_is_followed_by_others(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, do_it: str
) -> None:
    with monkeypatch.context() as broken:
        subject.fail(broken, "get", "get_many", "set")
        assert perform(subject.local.read(["k", "l"])) == [None, None]
        assert not subject.local.answers
        subject.clock.now += 1
        assert not subject.local.write_now("k", "text", 5)
        assert subject.counts == Stats(failures=2)
    subject.clock.now += 1
    if do_it == "read":
        assert perform(subject.local.read(["k"])) == [None]
    else:
        assert perform(subject.local.write({"k": ("text", 5)})) == ["k"]
    assert subject.local.answers


def test_a_value_that_the_store_did_not_keep_is_not_stored() -> None:
    subject = Subject(MemoryStore(max_bytes=1000))
    assert not subject.local.write_now("k", "x" * 1000, 5)
    assert subject.counts == Stats(failures=1)
    assert subject.ears.heard == []


def test_the_time_of_operations_is_measured_while_somebody_asks(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_: object, **__: object) -> Any:
        subject.clock.now += 2

    monkeypatch.setattr(subject.store, "get", slow)
    monkeypatch.setattr(subject.store, "set", slow)
    subject.made.measure(subject.clock)
    with Meter() as meter:
        perform(subject.local.read(["k"]))
        perform(subject.local.write({"k": ("text", 5)}))
    assert meter.seconds == 4
    subject.made.measure(None)
    with Meter() as meter:
        perform(subject.local.read(["k"]))
        perform(subject.local.write({"k": ("text", 5)}))
    assert meter.seconds == 0
