import gc
import logging
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from jinja2 import Environment

from jinja_fragcache import (
    About,
    Event,
    FragmentCache,
    Listener,
    ListenerError,
    Report,
)
from jinja_fragcache.engine.engine import Engine
from jinja_fragcache.render import lookup
from tests.support import Counter, Ears, environment, files_of_calls, fragment_cache

PAGES = {
    "plain.html": "{% cache 60, 'plain' %}text{% endcache %}",
    "keyed.html": "{% cache 60, 'keyed', user %}text{% endcache %}",
    "tagged.html": "{% cache 60, 'tagged', user, tags=['posts'] %}text{% endcache %}",
    "listed.html": "{% cache_each u in [1, 2], 60, 'row', u %}x{% endcache_each %}",
}
OURS = ("/observe/", "/reporting.py")


def warm(page: str) -> Any:
    """Return what renders a page whose fragments are all hits."""
    template = environment(PAGES).get_template(page)
    for _ in range(3):
        template.render(user=7)
    return template


def instructions(template: Any) -> int:
    """Count the instructions of Python's that one rendering runs."""
    counted = 0

    def trace(frame: Any, event: str, _: object) -> Any:
        nonlocal counted
        frame.f_trace_opcodes = True
        counted += event == "opcode"
        return trace

    before = sys.gettrace()
    # Python 3.12 counts none before a frame has asked for them.
    sys._getframe().f_trace_opcodes = True
    # Hypothesis calls a function at each collection of garbage.
    gc.collect()
    gc.disable()
    sys.settrace(trace)
    try:
        template.render(user=7)
    finally:
        sys.settrace(before)
        gc.enable()
    return counted


PAGE_NAMES = ["plain.html", "keyed.html", "tagged.html", "listed.html"]


@pytest.mark.parametrize("page", PAGE_NAMES)
def test_a_hit_runs_nothing_for_listeners_while_there_are_none(page: str) -> None:
    template = warm(page)
    with files_of_calls() as called:
        template.render(user=7)
    assert len(called) > 1
    assert not [file for file in called if any(name in file for name in OURS)]


@pytest.mark.parametrize("page", ["plain.html", "keyed.html", "listed.html"])
def test_the_fast_path_is_left_only_while_somebody_listens(page: str) -> None:
    template, ears = warm(page), Ears()
    cache = fragment_cache(template.environment)

    def is_fast() -> bool:
        with files_of_calls() as called:
            template.render(user=7)
        return not any(file.endswith("/engine/lookup.py") for file in called)

    assert is_fast()
    cache.listen(ears)
    assert not is_fast()
    cache.unlisten(ears)
    assert is_fast()


@pytest.mark.parametrize("page", PAGE_NAMES)
def test_a_hit_costs_the_same_again_when_nobody_listens_any_more(page: str) -> None:
    template = warm(page)
    cache, ears = fragment_cache(template.environment), Ears()
    never = instructions(template)
    cache.listen(ears)
    listened = instructions(template)
    cache.unlisten(ears)
    assert never == instructions(template) < listened
    assert ears.reports


def test_the_fast_path_reads_nothing_that_tells_of_listeners() -> None:
    fast = [lookup.fragment.__code__, Engine.text.__code__]
    names = {name for code in fast for name in code.co_names}
    assert names.isdisjoint({"audience", "listeners", "_recorder", "recorder"})


def test_each_fragment_is_reported_once_for_each_rendering() -> None:
    env = environment(PAGES)
    ears = Ears("hit", "miss", "set")
    fragment_cache(env).listen(ears)
    for _ in range(2):
        env.get_template("keyed.html").render(user=7)
    key = fragment_cache(env).key_for("keyed", [7])
    assert ears.heard == [("miss", key), ("set", key), ("hit", key)]
    told = [(each.outcome, each.name, each.key, each.values) for each in ears.reports]
    assert told == [("miss", "keyed", key, (7,)), ("hit", "keyed", key, (7,))]
    assert {each.place for each in ears.reports} == {"keyed.html:1"}


class Modest(Listener):
    def __init__(self) -> None:
        self.reports: list[Report] = []

    def on_report(self, report: Report) -> None:
        self.reports.append(report)


class Around(Listener):
    def __init__(self) -> None:
        self.abouts: list[About] = []

    def around_body(self, about: About) -> AbstractContextManager[object]:
        self.abouts.append(about)
        return self._around()

    @contextmanager
    def _around(self) -> Iterator[None]:
        yield


def test_key_values_are_shown_to_listeners_that_ask_only() -> None:
    env = environment(PAGES)
    ears, modest, around = Ears(), Modest(), Around()
    for each in (ears, modest, around):
        fragment_cache(env).listen(each)
    env.get_template("keyed.html").render(user="ann")
    assert [each.values for each in ears.reports] == [("ann",)]
    assert [each.values for each in modest.reports] == [None]
    assert [each.values for each in around.abouts] == [()]


class Broken(Listener):
    def on_event(self, event: Event) -> None:
        raise RuntimeError("event")

    def on_report(self, report: Report) -> None:
        raise RuntimeError("report")

    def around_body(self, about: About) -> AbstractContextManager[object]:
        return self._around()

    @contextmanager
    def _around(self) -> Iterator[None]:
        yield
        raise RuntimeError("after")


class BrokenBefore(Listener):
    def around_body(self, about: About) -> AbstractContextManager[object]:
        return self._around()

    @contextmanager
    def _around(self) -> Iterator[None]:
        if self.wants_values is False:
            raise RuntimeError("before")
        yield


@pytest.mark.parametrize("broken", [Broken(), BrokenBefore()], ids=["all", "before"])
def test_a_listener_that_fails_is_logged_once_and_the_page_shown(
    broken: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    env = environment(PAGES)
    fragment_cache(env).listen(broken)
    for user in (1, 1, 2):
        assert env.get_template("keyed.html").render(user=user) == "text"
    failed = [each for each in caplog.messages if each.startswith("The listener")]
    assert len(failed) == 1
    assert type(broken).__name__ in failed[0]


def test_an_error_of_a_body_passes_by_what_listeners_put_around_it() -> None:
    body = environment({"p": "{% cache 60, 'x' %}{{ 1 / 0 }}{% endcache %}"})
    ears = Ears()
    for each in (Around(), Broken(), ears):
        fragment_cache(body).listen(each)
    with pytest.raises(ZeroDivisionError):
        body.get_template("p").render()
    (report,) = ears.reports
    assert isinstance(report.error, ZeroDivisionError)


def test_what_is_no_listener_is_refused() -> None:
    wrong: Any = print
    with pytest.raises(ListenerError, match="Write class Mine"):
        FragmentCache().listen(wrong)
    with pytest.raises(ListenerError, match="subclass of Listener"):
        FragmentCache(listeners=[wrong])


@pytest.mark.parametrize("debug_comments", [False, True])
def test_a_listener_that_is_in_no_list_is_refused(*, debug_comments: bool) -> None:
    wrong: Any = Ears()
    with pytest.raises(ListenerError, match=r"got .*Write listeners=\[Mine\(\)\]"):
        FragmentCache(listeners=wrong, debug_comments=debug_comments)


def lines(env: Environment, caplog: pytest.LogCaptureFixture, user: int) -> list[str]:
    caplog.clear()
    env.get_template("keyed.html").render(user=user)
    return [each.split(" ", 1)[0] for each in caplog.messages]


def test_the_log_is_told_from_the_next_miss_after_its_level_was_set(
    caplog: pytest.LogCaptureFixture,
) -> None:
    env = environment(PAGES)
    logger = logging.getLogger("jinja_fragcache")
    caplog.set_level(logging.INFO)
    assert lines(env, caplog, 1) == []
    with caplog.at_level(logging.DEBUG, logger.name):
        # A hit does not look at the level.
        assert lines(env, caplog, 1) == []
        assert lines(env, caplog, 2) == ["miss"]
        assert lines(env, caplog, 1) == ["hit"]
    assert lines(env, caplog, 1) == []


def test_the_first_look_up_of_a_cache_knows_the_level(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = fragment_cache(environment(PAGES)).store
    environment(PAGES, FragmentCache(store)).get_template("plain.html").render()
    env = environment(PAGES, FragmentCache(store))
    with caplog.at_level(logging.DEBUG, "jinja_fragcache"):
        env.get_template("plain.html").render()
    assert caplog.messages[0].startswith("hit plain ")


def test_adding_a_listener_twice_tells_it_once() -> None:
    env, ears, renders = environment(PAGES), Ears("miss"), Counter()
    for _ in range(2):
        fragment_cache(env).listen(ears)
    env.get_template("plain.html").render(renders=renders)
    assert len(ears.heard) == len(ears.reports) == 1
    fragment_cache(env).unlisten(ears)
    fragment_cache(env).unlisten(ears)
    env.get_template("plain.html").render()
    assert len(ears.reports) == 1
