import threading
from typing import Any

import pytest

from jinja_fragcache.access.stats import Stats
from jinja_fragcache.engine.batch import Row, find_rows, renew_rows
from jinja_fragcache.engine.flow import bypass
from jinja_fragcache.engine.spec import FragmentSpec
from jinja_fragcache.entries.freshness import want
from jinja_fragcache.entries.values import MISSING
from jinja_fragcache.operations import perform
from tests.joins import Joins
from tests.support import RecordingStore, context

PLAIN = want(True, None)


class Subject:
    """A cache, and rows that are named by their keys; `!` is a row without a key."""

    def __init__(self) -> None:
        self.store = RecordingStore()
        self.counts = Stats()
        self.context = context(self.store, self.counts)
        self.rendered: list[str] = []

    def rows(self, keys: str) -> list[Row]:
        made = [
            Row(key, flow=bypass)
            if key == "!"
            else Row(key, FragmentSpec(key, PLAIN, 5))
            for key in keys
        ]
        perform(find_rows(made, self.context))
        return made

    def renew(self, rows: list[Row]) -> list[Any]:
        def render(number: int) -> str:
            self.rendered.append(rows[number].item)
            return f"new {rows[number].item}"

        return perform(renew_rows(rows, self.context, render))


def test_rows_that_are_stored_are_served_and_the_others_missing() -> None:
    subject = Subject()
    subject.store.values = {"a": "stored a"}
    rows = subject.rows("ab!")
    assert [row.value for row in rows] == ["stored a", MISSING, MISSING]
    assert subject.counts == Stats(hits=1)


def test_missing_rows_are_rendered_in_their_order_and_stored() -> None:
    subject = Subject()
    subject.store.values = {"b": "stored b"}
    values = subject.renew(subject.rows("cb!a"))
    assert values == ["new c", "stored b", "new !", "new a"]
    assert subject.rendered == ["c", "!", "a"]
    assert subject.store.values == {"a": "new a", "b": "stored b", "c": "new c"}


def test_a_row_that_occurs_twice_is_rendered_once() -> None:
    subject = Subject()
    assert subject.renew(subject.rows("aba")) == ["new a", "new b", "new a"]
    assert subject.rendered == ["a", "b"]


def test_a_row_that_another_caller_renders_is_waited_for(joins: Joins) -> None:
    subject = Subject()
    rows = subject.rows("ab")
    flight, is_leader = subject.context.flights.join("a")
    assert is_leader
    values: list[Any] = []
    waiting = threading.Thread(target=lambda: values.extend(subject.renew(rows)))
    # The other thread waits until this flight lands.
    with flight:
        waiting.start()
        joins.wait_for(3)
        subject.store.values["a"] = "theirs"
        flight.is_stored = True
    waiting.join(10)
    assert values == ["theirs", "new b"]
    assert subject.rendered == ["b"]


def test_the_rows_before_one_that_fails_are_stored() -> None:
    subject = Subject()
    rows = subject.rows("abc")

    def render(number: int) -> str:
        if rows[number].item == "b":
            raise ValueError("no")
        return f"new {rows[number].item}"

    with pytest.raises(ValueError, match="no"):
        perform(renew_rows(rows, subject.context, render))
    assert subject.store.values == {"a": "new a"}
