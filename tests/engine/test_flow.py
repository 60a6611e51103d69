import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from jinja_fragcache.access.local_store import LocalStore
from jinja_fragcache.access.stats import Stats
from jinja_fragcache.engine import flow
from jinja_fragcache.engine.flow import Flow, bypass, recall, remove, renew
from jinja_fragcache.engine.lookup import NOTHING, find
from jinja_fragcache.engine.spec import FragmentSpec, NotStored
from jinja_fragcache.engine.tags import UNKNOWN_VERSION, invalidate
from jinja_fragcache.entries.entry import Entry, Life, encode
from jinja_fragcache.entries.freshness import GracePeriods, want
from jinja_fragcache.entries.values import MISSING, UnreadableError
from jinja_fragcache.errors import StoreError
from jinja_fragcache.observe.events import About, Reason, Why
from jinja_fragcache.operations import perform, perform_async
from tests.support import CoroutineStore, RecordingStore, context

NO_GRACE = GracePeriods()
PLAIN = want(True, None)


class Memory(RecordingStore):
    """A store that is taken for one in the memory of this process."""

    def get_many(self, *keys: str) -> list[Any]:
        self._note("get_many")
        return [self.values.get(key) for key in keys]


class Subject:
    """A store, and a body that is recorded among the store's calls."""

    def __init__(self, store: RecordingStore | None = None, **more: Any) -> None:
        self.store = store or RecordingStore()
        self.counts = Stats()
        self.context = context(self.store, self.counts, **more)

    def run(
        self, flow: Flow, text: Any = "text", during: Callable[[], object] = str
    ) -> Any:
        def render() -> Any:
            self.store.calls.append("render")
            during()
            return text

        return perform(flow(self.context, render))


def test_a_miss_renders_and_writes() -> None:
    subject = Subject()
    assert (
        subject.run(partial(renew, FragmentSpec("key", PLAIN, 30), NOTHING)) == "text"
    )
    assert subject.store.calls == ["render", "set"]
    assert subject.store.values == {"key": "text"}
    assert subject.store.timeouts == {"key": 30}


def test_escaping_and_version_are_written_with_the_text() -> None:
    subject = Subject()
    subject.run(partial(renew, FragmentSpec("key", want(False, "v1"), 30), NOTHING))
    entry = Entry("text", escaped=False, version="v1")
    assert subject.store.values == {"key": encode(entry)}


def test_del_deletes_and_renders() -> None:
    subject = Subject()
    subject.store.values = {"key": "old"}
    assert subject.run(partial(remove, "key")) == "text"
    assert subject.store.calls == ["delete", "render"]
    assert subject.store.values == {}


def test_if_the_delete_fails_the_body_is_not_rendered() -> None:
    subject = Subject()
    subject.store.failing = {"delete"}
    with pytest.raises(StoreError):
        subject.run(partial(remove, "key"))
    assert subject.store.calls == ["delete"]


def test_a_bypass_only_renders() -> None:
    subject = Subject()
    assert subject.run(bypass) == "text"
    assert subject.store.calls == ["render"]


class BodyError(Exception):
    pass


@pytest.mark.parametrize("error", [BodyError("no"), KeyboardInterrupt()])
def test_an_error_of_the_body_propagates_and_nothing_is_written(
    error: BaseException,
) -> None:
    subject = Subject()

    def render() -> str:
        raise error

    with pytest.raises(type(error)) as raised:
        perform(renew(FragmentSpec("key", PLAIN, 30), NOTHING, subject.context, render))
    assert raised.value is error
    assert subject.store.calls == []


def test_a_subclass_of_str_is_stored_as_str() -> None:
    class Text(str):
        __slots__ = ()

    subject = Subject()
    subject.run(partial(renew, FragmentSpec("key", PLAIN, 30), NOTHING), Text("text"))
    assert type(subject.store.values["key"]) is str


@dataclass
class Asked:
    """A value that is asked for: a text."""

    key: str = "key"
    name: str = "key"
    tags: tuple[str, ...] = ()
    timeout: int | None = 30
    grace: GracePeriods = NO_GRACE
    error: Exception | None = None
    guard: None = None
    verified_as: str | None = None
    dumped: list[Mapping[str, str]] = field(default_factory=list)

    def apart(self, render: Any, *, default: bool, blocking: bool = True) -> None:
        """Make nothing later."""

    def about(self) -> About:
        return About("function", self.name)

    def why_not(self, entry: Entry) -> Why:
        return Why(Reason.ASKED)

    def trial(self, render: Callable[..., Any]) -> Callable[..., Any]:
        return render

    def differing(self, served: Any, made: Any) -> tuple[str, str] | None:
        return None if served == made else (served, made)

    def load(self, stored: object, entry: Entry | None) -> Any:
        if self.error is not None:
            raise self.error
        return MISSING if entry is None else entry.text

    def timeout_of(self, value: Any) -> int | None:
        if value is None:
            raise NotStored
        return self.timeout

    def dump(
        self,
        value: Any,
        tags: Mapping[str, str],
        life: Life | None,
        templates: Mapping[str, str],
        reads: tuple[str, ...] = (),
    ) -> str:
        self.dumped.append(tags)
        pairs = tuple(sorted(tags.items()))
        return encode(Entry(value, tags=pairs, life=life))


def test_a_stored_value_is_served() -> None:
    subject = Subject()
    subject.store.values["key"] = "stored"
    assert subject.run(partial(recall, Asked())) == "stored"
    assert subject.store.calls == ["get"]
    assert subject.counts == Stats(hits=1)


def test_a_missing_value_is_made_and_stored() -> None:
    subject = Subject()
    asked = Asked()
    assert subject.run(partial(recall, asked)) == "text"
    assert subject.store.calls == ["get", "render", "set"]
    assert subject.store.values == {"key": "text"}
    assert subject.store.timeouts == {"key": 30}
    assert subject.counts == Stats(misses=1, stored=1)
    assert asked.dumped == [{}]


def test_a_value_with_tags_is_served_until_one_is_invalidated() -> None:
    subject = Subject()
    recalled = partial(recall, Asked(tags=("a", "b")))
    assert subject.run(recalled, "first") == "first"
    assert subject.run(recalled, "second") == "first"
    perform(invalidate(subject.context, ["b"]))
    assert subject.run(recalled, "third") == "third"
    assert subject.run(recalled, "fourth") == "third"


def test_versions_of_tags_are_stored_before_the_value_is_made() -> None:
    subject = Subject()
    subject.run(partial(recall, Asked(tags=("a",))))
    before = subject.store.calls[: subject.store.calls.index("render")]
    assert "set" in before
    assert len(subject.store.values) == 2


def test_a_value_invalidated_while_it_is_made_is_not_served_again() -> None:
    subject = Subject()
    recalled = partial(recall, Asked(tags=("a",)))

    def render() -> str:
        perform(invalidate(subject.context, ["a"]))
        return "old"

    assert perform(recalled(subject.context, render)) == "old"
    assert subject.run(recalled, "new") == "new"
    assert subject.run(recalled, "newer") == "new"


def test_an_older_value_written_after_a_newer_one_is_not_served() -> None:
    subject = Subject()
    recalled = partial(recall, Asked(tags=("a",)))

    def invalidate_and_make_another() -> str:
        perform(invalidate(subject.context, ["a"]))
        assert subject.run(recalled, "new") == "new"
        return "old"

    # The older text is written last, and not served.
    assert perform(recalled(subject.context, invalidate_and_make_another)) == "old"
    assert subject.run(recalled, "newest") == "newest"


def test_a_value_that_can_not_be_read_is_made_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    subject = Subject()
    subject.store.values["key"] = "stored"
    unreadable = UnreadableError(KeyError("gone"))
    assert subject.run(partial(recall, Asked(error=unreadable))) == "text"
    assert subject.store.values == {"key": "text"}
    assert subject.counts == Stats(misses=1, stored=1, failures=1)
    assert caplog.messages == ["The store could not read 'key': KeyError: 'gone'"]


def test_an_error_of_load_propagates() -> None:
    subject = Subject()
    subject.store.values["key"] = "stored"
    with pytest.raises(BodyError):
        subject.run(partial(recall, Asked(error=BodyError())))


def test_a_value_that_must_not_be_stored_is_returned_and_not_stored() -> None:
    subject = Subject()
    assert subject.run(partial(recall, Asked()), None) is None
    assert subject.store.calls == ["get", "render"]
    assert subject.counts == Stats(misses=1)


def test_without_versions_of_its_tags_a_value_is_returned_and_not_stored() -> None:
    subject = Subject()
    subject.store.failing = {"set"}
    asked = Asked(tags=("a",))
    assert subject.run(partial(recall, asked)) == "text"
    # It is an entry for callers that wait, of no version.
    assert asked.dumped == [{"a": UNKNOWN_VERSION}]
    assert subject.store.values == {}
    # After the failure to write the version, the store is not called again.
    assert subject.counts == Stats(misses=1, failures=1, skipped=1)


def test_if_the_store_is_down_values_are_made_each_time() -> None:
    subject = Subject()
    subject.store.failing = {"get", "set", "delete"}
    assert subject.run(partial(recall, Asked(tags=("a",)))) == "text"
    assert subject.run(partial(recall, Asked())) == "text"


@pytest.mark.parametrize("error", [BodyError("no"), KeyboardInterrupt()])
def test_an_error_while_making_a_value_propagates_and_nothing_is_written(
    error: BaseException,
) -> None:
    subject = Subject()

    def render() -> str:
        raise error

    with pytest.raises(type(error)) as raised:
        perform(recall(Asked(), subject.context, render))
    assert raised.value is error
    assert subject.store.calls == ["get"]


def test_an_error_of_dump_propagates() -> None:
    class Refusing(Asked):
        def dump(self, *_: Any) -> str:
            raise BodyError

    with pytest.raises(BodyError):
        Subject().run(partial(recall, Refusing()))


@pytest.mark.parametrize("make", [RecordingStore, CoroutineStore])
def test_a_value_is_recalled_on_an_event_loop(make: Callable[[], Any]) -> None:
    store = make()
    counts = Stats()
    loop = context(store, counts, blocking=False)

    async def ask(text: str) -> Any:
        async def render() -> str:
            return text

        asked = Asked(tags=("a",))
        return await perform_async(recall(asked, loop, render))

    assert asyncio.run(ask("first")) == "first"
    assert asyncio.run(ask("second")) == "first"
    assert counts == Stats(hits=1, misses=1, stored=1)


def test_after_a_value_that_must_not_be_stored_callers_do_not_wait_for_each_other() -> (
    None
):
    subject = Subject()
    subject.run(partial(recall, Asked()), None)
    leads = [subject.context.flights.join("key")[1] for _ in range(2)]
    assert leads == [True, True]


def test_versions_of_tags_outlive_the_grace_periods_of_entries() -> None:
    subject = Subject()
    grace = GracePeriods(stale=0, stale_if_error=1_000_000)
    subject.run(partial(recall, Asked(tags=("a",), grace=grace)))
    (version,) = [key for key in subject.store.values if key != "key"]
    assert (subject.store.timeouts[version] or 0) > 1_000_000


SPEC = FragmentSpec("key", PLAIN, 30)


@pytest.fixture(params=["plain calls", "operations"])
def local(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Subject:
    if request.param == "operations":
        monkeypatch.setattr(flow, "make_if_plain", lambda *_: None)
    return Subject(Memory(), kind=LocalStore)


def test_a_miss_in_memory_looks_again_renders_and_writes(local: Subject) -> None:
    assert local.run(partial(renew, SPEC, NOTHING)) == "text"
    assert local.store.calls == ["get", "render", "set"]
    assert local.store.values == {"key": "text"}
    assert local.store.timeouts == {"key": 30}
    assert local.counts == Stats(misses=1, stored=1)


def test_in_memory_what_others_have_stored_meanwhile_is_served(local: Subject) -> None:
    local.store.values["key"] = "theirs"
    assert local.run(partial(renew, SPEC, NOTHING)) == "theirs"
    assert "render" not in local.store.calls
    assert local.counts == Stats(misses=1, waited=1)


def test_in_memory_what_is_deleted_meanwhile_is_not_written(local: Subject) -> None:
    delete = partial(local.context.flights.spoil, "key")
    assert local.run(partial(renew, SPEC, NOTHING), during=delete) == "text"
    assert local.store.calls == ["get", "render"]


def test_in_memory_what_is_deleted_while_it_is_written_is_taken_back(
    local: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = local.store.set

    def write_late(*args: Any, **options: Any) -> bool:
        local.context.flights.spoil("key")
        return write(*args, **options)

    monkeypatch.setattr(local.store, "set", write_late)
    assert local.run(partial(renew, SPEC, NOTHING)) == "text"
    assert local.store.values == {}


def test_in_memory_no_other_thread_deletes_between_the_check_and_the_write(
    local: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, write = local.context.flights.lock, local.store.set
    got: list[bool] = []

    def try_lock() -> None:
        got.append(lock.acquire(blocking=False))

    def write_watched(*args: Any, **options: Any) -> bool:
        deleting = threading.Thread(target=try_lock)
        deleting.start()
        deleting.join()
        return write(*args, **options)

    monkeypatch.setattr(local.store, "set", write_watched)
    assert local.run(partial(renew, SPEC, NOTHING)) == "text"
    # `Flights.spoil` takes the lock before anything is deleted.
    assert got == [False]


def test_in_memory_a_body_that_raises_leaves_nothing_behind(local: Subject) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        local.run(partial(renew, SPEC, NOTHING), during=fail)
    assert local.store.values == {}
    assert local.run(partial(renew, SPEC, NOTHING)) == "text"


def test_in_memory_a_tag_that_is_invalidated_meanwhile_is_noticed(
    local: Subject,
) -> None:
    spec = FragmentSpec("key", PLAIN, 30, tags=("posts",))
    (found,) = perform(find([spec], local.context))
    assert local.run(partial(renew, spec, found)) == "text"
    (found,) = perform(find([spec], local.context))
    assert found.is_fresh
    perform(invalidate(local.context, ["posts"]))
    (found,) = perform(find([spec], local.context))
    assert not found.is_fresh
    late = partial(perform, invalidate(local.context, ["posts"]))
    assert local.run(partial(renew, spec, found), during=late) == "text"
    (found,) = perform(find([spec], local.context))
    assert not found.is_fresh


def test_in_memory_one_caller_renews_what_is_stale(local: Subject) -> None:
    spec = FragmentSpec("key", PLAIN, 30, GracePeriods(60))
    life = Life(local.context.clock() - 1, 0.0)
    local.store.values["key"] = encode(Entry("old", life=life))
    (found,) = perform(find([spec], local.context))
    flight, _ = local.context.flights.join("key")
    assert local.run(partial(renew, spec, found)) == "old"
    with flight:
        pass
    assert local.run(partial(renew, spec, found)) == "text"
    assert local.counts == Stats(hits=1, stale=1, misses=1, stored=1)
