"""How a hit is verified: what is chosen, compared, counted and told."""

import logging
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jinja_fragcache import cache_tag
from jinja_fragcache.access.stats import Stats
from jinja_fragcache.engine.batch import Row, find_rows
from jinja_fragcache.engine.dependencies import Dependencies, current_dependencies
from jinja_fragcache.engine.flow import recall, remove, renew
from jinja_fragcache.engine.lookup import NOTHING
from jinja_fragcache.engine.noted_reads import note_read
from jinja_fragcache.engine.policy import Policy
from jinja_fragcache.engine.spec import FragmentSpec
from jinja_fragcache.engine.verify import (
    Trial,
    draw,
    first_difference,
    is_chosen,
)
from jinja_fragcache.entries.entry import Entry, encode
from jinja_fragcache.entries.freshness import want
from jinja_fragcache.operations import perform
from tests.support import RecordingStore, context

PLAIN = want(True, None)
NAME = "page.html, line 3: the fragment"


class Subject:
    """A store with an entry, and a cache that verifies hits."""

    def __init__(self, verify: float = 1, **more: Any) -> None:
        self.store = RecordingStore()
        self.store.values["key"] = "text"
        self.counts = Stats()
        policy = Policy(verify=verify)
        self.context = context(self.store, self.counts, policy=policy, **more)
        self.spec = FragmentSpec("key", PLAIN, 30, verified_as=NAME)

    def ask(self, body: Callable[[], Any], spec: FragmentSpec | None = None) -> Any:
        return perform(recall(spec or self.spec, self.context, body))


@pytest.mark.parametrize(
    ("verify", "chance", "drawn"),
    [(0, 0.0, False), (0.1, 0.09, True), (0.1, 0.1, False), (1, 0.999, True)],
)
def test_a_share_of_hits_is_chosen_by_chance(
    verify: float, chance: float, drawn: bool
) -> None:
    subject = Subject(verify, chance=lambda: chance)
    assert draw(subject.context) == drawn
    assert is_chosen(subject.spec, subject.context) == drawn
    unverified = subject.spec._replace(verified_as=None)
    assert not is_chosen(unverified, subject.context)


def test_without_verification_no_number_is_drawn() -> None:
    def chance() -> float:
        raise AssertionError

    assert not draw(Subject(0, chance=chance).context)


def test_the_same_text_is_counted_and_nothing_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    subject = Subject()
    assert subject.ask(lambda: "text") == "text"
    assert subject.counts == Stats(hits=1, verified=1)
    assert subject.store.calls == ["get"]
    assert caplog.messages == []


def test_a_difference_is_counted_and_logged_once_and_the_stored_text_is_served(
    caplog: pytest.LogCaptureFixture,
) -> None:
    subject = Subject()
    assert [subject.ask(lambda: "other") for _ in range(3)] == ["text"] * 3
    assert subject.counts == Stats(hits=3, verified=3, differed=3)
    assert subject.store.calls == ["get"] * 3
    (message,) = caplog.messages
    assert message.startswith(f"{NAME} that was served from the cache is not what it")
    assert "Line 1 was served as 'text' and is 'other' now." in message
    assert "write verify=False" in message


def test_an_error_of_the_body_is_logged_once_and_stays_out_of_the_page(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> str:
        raise LookupError("no row")

    subject = Subject()
    assert [subject.ask(fail), subject.ask(fail)] == ["text", "text"]
    assert subject.counts == Stats(hits=2)
    (message,) = caplog.messages
    assert f"{NAME} was served from the cache, and could not be verified" in message
    assert "LookupError: no row" in message


def test_what_stops_the_program_passes_through() -> None:
    def stop() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Subject().ask(stop)


class StartingGuard:
    """A guard that makes a note when a body begins."""

    def apart(self, render: Any, *, default: bool) -> None:
        """Make nothing later."""

    def start(self) -> None:
        note_read("locale")

    def cover(self) -> Any:
        raise AssertionError

    def texts_now(self, name: str) -> Any:
        raise AssertionError

    def refuse(self, reads: Any) -> None:
        raise AssertionError


def reading(*names: str) -> Callable[[], str]:
    """Return a body that reads something of the request."""

    def body() -> str:
        for name in names:
            note_read(name)
        return "other"

    return body


def test_what_was_read_differently_is_told(caplog: pytest.LogCaptureFixture) -> None:
    subject = Subject()
    spec = subject.spec._replace(guard=StartingGuard())
    entry = Entry("text", reads=("locale", "request.path"))
    subject.store.values["key"] = encode(entry)
    subject.ask(reading("session.user", "g.theme"), spec)
    (message,) = caplog.messages
    assert " It reads session.user, g.theme now, which its entry does not" in message
    assert " It read request.path then, and does not now." in message


def test_each_difference_in_what_was_read_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    subject = Subject()
    for name in ("session.user", "g.theme", "session.user"):
        subject.ask(reading(name))
    assert len(caplog.messages) == 2
    assert subject.counts.differed == 3


def test_the_same_reads_are_not_told(caplog: pytest.LogCaptureFixture) -> None:
    subject = Subject()
    subject.store.values["key"] = encode(Entry("text", reads=("request.path",)))
    subject.ask(reading("request.path"))
    (message,) = caplog.messages
    assert "It reads" not in message
    assert "It read " not in message


def test_what_the_body_depends_on_is_not_added_to_what_is_around_it() -> None:
    subject = Subject()
    trials: list[Dependencies | None] = []

    def body() -> str:
        trials.append(current_dependencies())
        cache_tag("inner")
        note_read("session.user")
        here = current_dependencies()
        assert here is not None
        here.make_live()
        return "text"

    with Dependencies() as outer:
        subject.ask(body)
        assert current_dependencies() is outer
    (trial,) = trials
    assert trial is not None
    assert trial is not outer
    assert (set(trial.tags), set(trial.reads)) == ({"inner"}, {"session.user"})
    assert (outer.tags, outer.reads, outer.is_live) == ({}, {}, False)


def test_what_is_nested_in_a_trial_is_made_without_the_store() -> None:
    subject = Subject()
    subject.store.values["inner"] = "old"
    made: list[str] = []
    inner = FragmentSpec("inner", PLAIN, 30, verified_as="inner")
    missing = FragmentSpec("missing", PLAIN, 30, verified_as="missing")
    row = Row(1, missing)

    def render() -> str:
        made.append("inner")
        return "new"

    def body() -> str:
        texts = [subject.ask(render, inner), subject.ask(render, missing)]
        texts.append(perform(renew(inner, NOTHING, subject.context, render)))
        texts.append(perform(remove("inner", subject.context, render)))
        perform(find_rows([row], subject.context))
        assert row.flow is not None
        texts.append(perform(row.flow(subject.context, render)))
        return ",".join(texts)

    subject.ask(body)
    assert made == ["inner"] * 5
    assert subject.store.calls == ["get"]
    assert subject.store.values == {"key": "text", "inner": "old"}
    assert subject.counts == Stats(hits=1, verified=1, differed=1)


def test_what_a_body_started_is_cached_again_when_its_trial_is_over() -> None:
    subject = Subject()
    with Trial() as trial:
        pass
    trial.__enter__()
    trial.is_over = True
    try:
        assert subject.ask(lambda: "text") == "text"
        assert subject.store.calls == ["get"]
    finally:
        trial.__exit__()


def test_a_key_is_verified_by_one_caller_at_a_time() -> None:
    subject = Subject()
    inside: list[str] = []

    def body() -> str:
        # In a context of its own, as in a request to the same page.
        inside.append(Context().run(subject.ask, body))
        return "other"

    assert [subject.ask(body), subject.ask(body)] == ["text", "text"]
    assert inside == ["text", "text"]
    assert subject.counts == Stats(hits=4, verified=2, differed=2)


def test_a_key_may_be_verified_again_after_an_error() -> None:
    def stop() -> str:
        raise KeyboardInterrupt

    subject = Subject()
    with pytest.raises(KeyboardInterrupt):
        subject.ask(stop)
    subject.ask(lambda: "text")
    assert subject.counts.verified == 1


def test_rows_are_chosen_one_by_one() -> None:
    numbers = iter([0.9, 0.1, 0.9])
    subject = Subject(0.5, chance=lambda: next(numbers))
    rows = [Row(1, subject.spec), Row(2, subject.spec), Row(3, subject.spec)]
    perform(find_rows(rows, subject.context))
    assert [row.flow is None for row in rows] == [True, False, True]
    assert [row.value == "text" for row in rows] == [True, False, True]


def test_a_value_that_is_not_equal_to_itself_is_not_counted_as_different() -> None:
    class Unequal(FragmentSpec):
        def differing(self, served: Any, made: Any) -> tuple[str, str] | None:
            return str(served), str(made)

    subject = Subject()
    subject.ask(lambda: "other", Unequal(*subject.spec))
    assert subject.counts == Stats(hits=1, verified=1)


@pytest.mark.parametrize(
    ("served", "made", "told"),
    [
        ("a\nb\nc", "a\nx\nc", r"Line 2 was served as 'b\n' and is 'x\n' now."),
        ("a\n", "a\nb", "Line 2 was served as nothing and is 'b' now."),
        ("a\nb", "a\n", "Line 2 was served as 'b' and is nothing now."),
        ("a\n", "a", r"Line 1 was served as 'a\n' and is 'a' now."),
        ("", "a", "Line 1 was served as nothing and is 'a' now."),
        ("same", "same", "Both are shown as 'same'."),
    ],
)
def test_the_first_line_that_differs_is_shown(
    served: str, made: str, told: str
) -> None:
    assert first_difference(served, made) == told


def test_of_a_long_line_the_part_that_differs_is_shown() -> None:
    told = first_difference("x" * 500 + "Ann" + "y" * 500, "x" * 500 + "Bob")
    assert "'" + "x" * 20 + "Ann" in told
    assert "'" + "x" * 20 + "Bob'" in told
    assert len(told) < 400


@given(st.text(), st.text())
def test_every_difference_is_told_in_few_words(served: str, made: str) -> None:
    told = first_difference(served, made)
    assert told.startswith("Both" if served == made else "Line ")
    assert len(told) < 3000


def test_a_warning_of_one_place_leaves_others_their_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    subject = Subject()
    for name in ("a", "b", "a"):
        subject.ask(lambda: "other", subject.spec._replace(verified_as=name))
    assert [message[0] for message in caplog.messages] == ["a", "b"]


def test_a_flow_is_made_of_what_was_found() -> None:
    subject = Subject()
    row = Row(1, subject.spec)
    perform(find_rows([row], subject.context))
    assert isinstance(row.flow, partial)
    assert perform(row.flow(subject.context, lambda: "other")) == "text"
    assert subject.counts == Stats(hits=1, verified=1, differed=1)
