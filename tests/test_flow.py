from functools import partial
from typing import Any

import pytest

from jinja_fragcache.entry import Entry, encode
from jinja_fragcache.errors import StoreError
from jinja_fragcache.flow import Flow, FragmentRequest, bypass, remove, renew
from jinja_fragcache.freshness import want
from jinja_fragcache.guard import Counts, Guard
from jinja_fragcache.once import Flights
from jinja_fragcache.operations import perform
from jinja_fragcache.stores import adapt
from tests.support import RecordingStore

PLAIN = want(True, None)  # noqa: FBT003 - its form


class Subject:
    """A flow's surroundings: a store and a body that notes when it is rendered."""

    def __init__(self) -> None:
        self.store = RecordingStore()
        self.guard = Guard(
            adapt(self.store)[0], counts=Counts(), flights=Flights(), blocking=True
        )

    def run(self, flow: Flow, text: Any = "text") -> Any:
        def render() -> Any:
            self.store.calls.append("render")
            return text

        return perform(flow(self.guard, render))


def test_a_miss_renders_and_writes() -> None:
    subject = Subject()
    assert subject.run(partial(renew, FragmentRequest("key", PLAIN, 30))) == "text"
    assert subject.store.calls == ["render", "set"]
    assert subject.store.values == {"key": "text"}
    assert subject.store.timeouts == {"key": 30}


def test_what_has_to_match_is_written() -> None:
    subject = Subject()
    subject.run(partial(renew, FragmentRequest("key", want(False, "v1"), 30)))  # noqa: FBT003 - its form
    entry = Entry("text", escaped=False, version="v1")
    assert subject.store.values == {"key": encode(entry)}


def test_del_deletes_and_renders() -> None:
    subject = Subject()
    subject.store.values = {"key": "old"}
    assert subject.run(partial(remove, "key")) == "text"
    assert subject.store.calls == ["delete", "render"]
    assert subject.store.values == {}


def test_what_can_not_be_deleted_is_not_rendered() -> None:
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
def test_what_the_body_raises_passes_and_nothing_is_written(
    error: BaseException,
) -> None:
    subject = Subject()

    def render() -> str:
        raise error

    with pytest.raises(type(error)) as raised:
        perform(renew(FragmentRequest("key", PLAIN, 30), subject.guard, render))
    assert raised.value is error
    assert subject.store.calls == []


def test_a_text_of_its_own_kind_is_stored_as_text() -> None:
    class Text(str):
        __slots__ = ()

    subject = Subject()
    subject.run(partial(renew, FragmentRequest("key", PLAIN, 30)), Text("text"))
    assert type(subject.store.values["key"]) is str
