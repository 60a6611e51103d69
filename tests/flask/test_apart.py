"""What is made behind a request of Flask has nothing of the request."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from flask import (
    abort,
    current_app,
    g,
    has_request_context,
    render_template_string,
    request,
    session,
    url_for,
)

from jinja_fragcache.engine.background import Pool
from jinja_fragcache.errors import PolicyError, SettingError
from tests.backgrounds import Gate, finish, use_pool
from tests.flask.support import Site, make_cache

KINDS = ["fragment", "view", "memoize"]
SOURCE = '{% cache 60, "x" %}{{ show() }}{% endcache %}'


class Behind(Site):
    """A page of one kind that shows what a function returns, and its pool."""

    def __init__(self, kind: str, show: Callable[[], Any], **settings: Any) -> None:
        settings = {"CACHE_STALE": 60, "CACHE_BACKGROUND": True} | settings
        super().__init__(**settings)
        self.gate = Gate()
        self.pool = Pool()

        def shown() -> str:
            return f"{self.gate()}{show()}"

        if kind == "fragment":
            self.page: Any = lambda: render_template_string(SOURCE, show=shown)
        elif kind == "view":
            self.page = self.cache.cached(60)(shown)
        else:
            self.page = self.cache.memoize(60)(shown)
        self.app.add_url_rule("/page/", "page", self.page)
        fragment_cache = self.app.extensions["jinja_fragcache"][
            self.cache
        ].fragment_cache
        cache: Any = fragment_cache
        self._context = cache.engine.context
        self._context.clock = self._context.timer = self.clock
        use_pool(cache, self.pool)

    def show(self, path: str = "/page/", **options: Any) -> str:
        """Return the page past its timeout, and wait for what is made behind it."""
        self.clock.now += 61
        text = self.app.test_client().get(path, **options).text
        finish(self.pool)
        return text


@pytest.mark.parametrize("kind", KINDS)
def test_no_caller_waits(kind: str) -> None:
    behind = Behind(kind, lambda: "")
    assert [behind.show() for _ in range(4)] == ["1", "1", "2", "3"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_application_and_url_for_are_there_and_g_is_new(kind: str) -> None:
    found: list[Any] = []

    def show() -> str:
        app: Any = current_app
        found.append((app._get_current_object(), g._get_current_object()))
        return url_for("page")

    behind = Behind(kind, show)
    ended: list[object] = []
    behind.app.teardown_appcontext(ended.append)
    assert [behind.show() for _ in range(3)] == ["1/page/", "1/page/", "2/page/"]
    assert {app for app, _ in found} == {behind.app}
    assert len({id(each) for _, each in found}) == 3
    assert len(ended) == 3 + 2


READS: dict[str, Callable[[], Any]] = {
    "session": lambda: session.get("user"),
    "g": lambda: g.get("theme"),
    "request": lambda: request.args.get("page"),
    "an attribute that is missing there": lambda: g.theme,
    "host": lambda: url_for("page", _external=True),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_body_that_reads_of_the_request_is_made_by_a_caller(
    kind: str, read: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    # Each read is allowed, so that no entry tells of it.
    allowed = ["session", "g", "request"]
    behind = Behind(kind, read, CACHE_GUARD_ALLOW=allowed)

    @behind.app.before_request
    def set_theme() -> None:
        g.theme = "dark"

    said = {"host": "http://localhost/page/", "g": "dark", "an attribute": "dark"}
    text = [behind.show() for _ in range(4)][-1]
    assert text.removeprefix(text[0]) in {"None", *said.values()}
    behind.gate.threads.clear()
    behind.show()
    assert [each.name for each in behind.gate.threads] == ["MainThread"]
    assert caplog.records == []


def test_where_url_for_calls_functions_a_caller_makes_it() -> None:
    behind = Behind("view", lambda: "")
    behind.app.url_defaults(lambda *_: None)
    assert [behind.show() for _ in range(2)] == ["1", "2"]


def test_what_is_gone_ends_its_old_entry(caplog: pytest.LogCaptureFixture) -> None:
    def show() -> str:
        if behind.gate.calls.calls == 2:
            abort(404)
        return ""

    behind = Behind("memoize", show)
    assert [behind.show() for _ in range(2)] == ["1", "1"]
    behind.clock.now -= 61
    assert behind.show() == "3"
    assert caplog.records == []


def test_a_teardown_function_that_fails_there_is_told_as_that(
    caplog: pytest.LogCaptureFixture,
) -> None:
    behind = Behind("view", lambda: "")
    behind.app.before_request(lambda: setattr(g, "connection", "open"))
    behind.app.teardown_request(lambda _: delattr(g, "connection"))

    # It was made all the same, and is made again without a pause.
    assert [behind.show() for _ in range(4)] == ["1", "1", "2", "3"]
    told = "a teardown function of the application failed"
    assert [told in record.getMessage() for record in caplog.records] == [True] * 3
    assert "AttributeError" in caplog.text


def test_outside_of_a_request_there_is_none_behind_it() -> None:
    behind = Behind("memoize", has_request_context)
    found = []
    for _ in range(3):
        behind.clock.now += 61
        with behind.app.app_context():
            found.append(behind.page())
        finish(behind.pool)
    assert found == ["1False", "1False", "2False"]


class Row:
    """A row of SQLAlchemy that a session has, as far as that is known."""

    __mapper__ = None
    _sa_instance_state = SimpleNamespace(session_id=7)


@pytest.mark.parametrize(
    "argument", [request, iter("ab"), [Row()]], ids=["proxy", "iterator", "rows"]
)
def test_arguments_that_are_the_request_s_stay_with_the_caller(argument: Any) -> None:
    behind = Behind("view", lambda: "")

    def count(value: object) -> str:
        return f"{behind.gate()}"

    counted: Any = behind.cache.memoize(60, args_to_ignore=["value"])(count)
    with behind.app.test_request_context():
        found = []
        for _ in range(2):
            behind.clock.now += 61
            found.append(counted(argument))
            finish(behind.pool)
    assert found == ["1", "2"]


def test_an_argument_is_what_it_was_when_the_function_was_called() -> None:
    behind = Behind("view", lambda: "")

    @behind.cache.memoize(60)
    def joined(words: list[str], *, options: dict[str, list[str]]) -> str:
        return f"{behind.gate()}{words}{options}"

    with behind.app.app_context():
        joined(["a"], options={"b": []})
        behind.clock.now += 61
        behind.gate.close()
        words, options = ["a"], {"b": list[str]()}
        joined(words, options=options)
        words.append("c")
        options["b"].append("d")
        behind.gate.open()
        finish(behind.pool)
        assert joined(["a"], options={"b": []}) == "2['a']{'b': []}"


@pytest.mark.parametrize("kind", ["cached", "memoize"])
def test_a_decorator_may_say_whether(kind: str) -> None:
    behind = Behind("view", lambda: "", CACHE_BACKGROUND=False)
    decorate = getattr(behind.cache, kind)
    view = decorate(60, background=True)(lambda: str(behind.gate()))
    behind.app.add_url_rule("/other", "other", view)
    assert [behind.show("/other") for _ in range(3)] == ["1", "1", "2"]
    assert [behind.show() for _ in range(2)] == ["4", "5"]
    with pytest.raises(PolicyError, match="background can't be 1"):
        decorate(background=1)


def test_it_needs_the_guard() -> None:
    with pytest.raises(SettingError, match="CACHE_BACKGROUND"):
        make_cache(CACHE_BACKGROUND=True, CACHE_GUARD=False)
