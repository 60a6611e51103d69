import math
import sys
from collections.abc import Callable
from contextlib import nullcontext
from contextvars import copy_context
from functools import partial
from typing import Any

import pytest

from jinja_fragcache import cache_tag, guard_variables, note_read
from jinja_fragcache.engine import dependencies
from jinja_fragcache.engine.dependencies import (
    Dependencies,
    add_framework,
    current_dependencies,
    current_request,
    current_trial,
    expect_framework,
    names_told_by,
    note_variable,
    quietly,
    start_watching,
    surroundings_apart,
)
from jinja_fragcache.engine.noted_reads import note_kept_read, texts_of_now
from jinja_fragcache.engine.verify import Trial
from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.guard.reads import Read


def test_nothing_is_collected_outside_of_bodies() -> None:
    assert current_dependencies() is None
    assert cache_tag("a") == ""


def test_dependencies_are_nested() -> None:
    with Dependencies() as outer:
        assert current_dependencies() is outer
        with Dependencies() as inner:
            assert inner.parent is outer
            assert cache_tag("a", "b") == ""
        assert current_dependencies() is outer
    assert current_dependencies() is None
    assert inner.tags == {"a": None, "b": None}
    assert outer.tags == {}
    assert outer.expires == math.inf


def test_collecting_ends_if_the_body_raises() -> None:
    with pytest.raises(ZeroDivisionError), Dependencies():
        raise ZeroDivisionError
    assert current_dependencies() is None


def test_the_earliest_expiry_is_kept() -> None:
    with Dependencies() as body:
        body.include({}, 50)
        body.include({}, 40)
        body.include({}, 60)
    assert body.expires == 40


def test_a_known_version_is_not_replaced_by_an_unknown_one() -> None:
    with Dependencies() as body:
        body.include({"a": None, "b": "1"})
        body.include({"a": "1", "b": None})
        body.include({"a": "1"})
    assert body.tags == {"a": "1", "b": "1"}
    assert not body.is_outdated


def test_two_versions_of_a_tag_make_a_body_outdated() -> None:
    with Dependencies() as body:
        body.include({"a": "1"})
        body.include({"a": "2"})
    assert body.is_outdated


def test_two_digests_of_a_template_make_a_body_outdated() -> None:
    with Dependencies() as body:
        body.include({}, templates={"a.html": "1", "b.html": "1"})
        body.include({}, templates={"b.html": "1"})
        assert not body.is_outdated
        body.include({}, templates={"a.html": "2"})
    assert body.templates == {"a.html": "1", "b.html": "1"}
    assert body.is_outdated


def test_make_live_marks_all_bodies_around() -> None:
    with Dependencies() as outer, Dependencies() as inner:
        with Dependencies() as other:
            pass
        inner.make_live()
    assert (outer.is_live, inner.is_live, other.is_live) == (True, True, False)


def test_a_tag_that_is_not_text_is_an_error() -> None:
    with Dependencies(), pytest.raises(KeyValueError, match="A tag is text"):
        cache_tag(7)  # type: ignore[arg-type]


def test_nothing_is_collected_after_the_body() -> None:
    def go_on(number: int) -> None:
        cache_tag(f"tag {number}")

    with Dependencies() as ended:
        inherited = copy_context()
    for number in range(3):
        inherited.run(go_on, number)
    assert ended.tags == {}
    ended.include_versions({"named": "1"})
    assert ended.tags == {"named": "1"}


def test_bodies_in_a_task_that_goes_on_are_part_of_those_that_still_run() -> None:
    def go_on() -> Dependencies | None:
        with Dependencies() as later:
            return later.parent

    with Dependencies() as outer:
        with Dependencies():
            inherited = copy_context()
        assert inherited.copy().run(go_on) is outer
    assert inherited.run(go_on) is None


def test_a_body_with_very_many_reads_has_read_the_request() -> None:
    with Dependencies() as body:
        for number in range(1000):
            note_read(f"request.args.{number}")
    assert len(body.reads) == 65
    assert "request" in body.reads


def test_nothing_is_noted_quietly() -> None:
    with quietly():
        pass
    with Dependencies() as body:
        with quietly(), quietly():
            note_read("session.user")
        note_read("session.cart")
    assert body.reads.keys() == {"session.cart"}


def test_what_a_part_has_read_is_included() -> None:
    with Dependencies() as body:
        body.include({}, reads=[Read("session.user")])
    body.include({}, reads=[Read("session.cart")])
    assert body.reads == {"session.user": Read("session.user")}


@pytest.mark.parametrize(
    ("others", "kept"),
    [
        ([], "en"),
        ([Read("locale", kept="en")], "en"),
        ([Read("locale", kept="de")], None),
        ([Read("locale")], None),
    ],
)
def test_only_one_text_of_a_read_can_be_kept(
    others: list[Read], kept: str | None
) -> None:
    with Dependencies() as body:
        note_kept_read("locale", "en")
        body.include({}, reads=others)
    assert body.reads["locale"].kept == kept


def test_what_is_read_directly_is_not_covered_by_the_key_of_a_nested_fragment() -> None:
    nested = Read("user", instead=frozenset({"7"}))
    with Dependencies() as body:
        body.include({}, reads=[nested, nested])
        assert body.reads["user"].instead == {"7"}
        note_read("user")
    assert body.reads["user"].instead == set()


def test_a_key_with_the_parts_of_one_read_does_not_cover_another_without() -> None:
    with Dependencies() as body:
        body.note(Read("authorization", parts=(Read("username"),)))
        assert body.reads["authorization"].parts
        body.note(Read("authorization"))
    assert body.reads["authorization"].parts == ()


class Framework:
    """A framework with one request, which is replaced by hand."""

    def __init__(self) -> None:
        self.now: object = None
        self.watched: list[Any] = []

    def watch(self, context: Any) -> None:
        self.watched.append(context)

    def request(self) -> object:
        return self.now

    def note_variable(self, name: str, value: Any, context: Any) -> None:
        if name == "request":
            note_read(name, value)

    def apart(self, *, blocking: bool) -> Any:
        return None if blocking else nullcontext

    def note_missing(self, name: str, context: Any) -> None:
        pass

    def told_by(self, name: str) -> list[str]:
        return ["session.user"] if name == "user" else []

    def value_of(self, name: str, context: Any) -> Any:
        if name == "request.nothing":
            raise AttributeError(name)
        if name != "session.user":
            raise LookupError(name)
        return 5


@pytest.fixture
def framework(monkeypatch: pytest.MonkeyPatch) -> Framework:
    monkeypatch.setattr(dependencies, "_frameworks", [])
    monkeypatch.setattr(dependencies, "_requests", [])
    monkeypatch.setattr(dependencies, "_noting", {})
    monkeypatch.setattr(dependencies, "_expected", set())
    monkeypatch.setattr(dependencies, "_coming", ())
    framework = Framework()
    add_framework(framework)
    add_framework(framework)
    return framework


def test_a_body_is_made_apart_if_all_frameworks_can_do_that(
    framework: Framework,
) -> None:
    assert surroundings_apart(blocking=False) == [nullcontext]
    assert surroundings_apart(blocking=True) is None


def test_a_framework_is_asked_once(framework: Framework) -> None:
    start_watching("context")
    assert framework.watched == ["context"]
    assert texts_of_now("session.user") == {"5"}
    assert texts_of_now("session.cart") == set()
    assert texts_of_now("request.nothing") == set()


def a_body() -> None:
    with Dependencies() as body:
        note_read("session.cart")
    assert body.reads


@pytest.mark.parametrize(
    "ask",
    [
        start_watching,
        a_body,
        current_request,
        partial(surroundings_apart, blocking=False),
        partial(names_told_by, ["x"]),
        partial(texts_of_now, "session.user"),
    ],
    ids=["watch", "body", "request", "apart", "names", "value"],
)
def test_a_framework_is_added_once_its_module_is_imported(
    framework: Framework, monkeypatch: pytest.MonkeyPatch, ask: Callable[[], object]
) -> None:
    later, loads = Framework(), []

    def load() -> Framework:
        loads.append(later)
        return later

    for _ in range(2):
        expect_framework("some.framework", load)
    ask()
    assert loads == []
    monkeypatch.setitem(sys.modules, "some.framework", sys)
    for _ in range(2):
        ask()
        expect_framework("some.framework", load)
    assert loads == [later]
    assert dependencies._frameworks == [framework, later]


def test_a_body_belongs_to_the_request_of_a_framework_that_was_just_imported(
    framework: Framework, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = Framework()
    later.now = "request"
    expect_framework("some.framework", lambda: later)
    monkeypatch.setitem(sys.modules, "some.framework", sys)
    with Dependencies() as body:
        assert body.request == "request"


def test_a_framework_that_could_not_be_loaded_is_tried_again(
    framework: Framework, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = Framework()
    answers: list[Any] = [ImportError("half imported"), later]

    def load() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    expect_framework("some.framework", load)
    monkeypatch.setitem(sys.modules, "some.framework", sys)
    with pytest.raises(ImportError):
        start_watching()
    start_watching("context")
    assert later.watched == ["context"]


def test_a_framework_tells_what_names_in_keys_tell(framework: Framework) -> None:
    assert names_told_by(["user", "x"]) == {"user", "x", "session.user"}


def test_what_is_read_of_another_request_is_not_the_body_s(
    framework: Framework,
) -> None:
    framework.now = "first"
    with Dependencies() as body:
        framework.now = "second"
        note_read("session.cart")
        framework.now = "first"
        note_read("session.user")
    assert body.reads.keys() == {"session.user"}


def test_variables_are_noted_if_a_framework_or_the_user_says_so(
    framework: Framework,
) -> None:
    guard_variables("tenant")
    with Dependencies() as body:
        for name in ("request", "tenant", "title"):
            note_variable(name, name, None)
    assert body.reads.keys() == {"request", "tenant"}


def test_what_is_nested_in_a_trial_is_one_and_does_not_reach_what_is_around_it() -> (
    None
):
    with Dependencies() as outer:
        assert current_trial() is None
        with Trial() as trial:
            with Dependencies() as inner:
                assert current_trial() is trial.trial
                inner.make_live()
            trial.make_live()
        assert current_trial() is None
    assert (outer.is_live, trial.is_live, inner.is_live) == (False, True, True)
