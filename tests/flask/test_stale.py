"""`stale` and `stale_if_error` on views and functions."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from flask import (
    Flask,
    Response,
    abort,
    make_response,
    render_template_string,
    session,
)
from werkzeug.exceptions import Conflict, HTTPException, ServiceUnavailable

from jinja_fragcache import Cache, FragmentCache, MemoryStore, Stats
from jinja_fragcache.errors import PolicyError
from jinja_fragcache.flask import CachedResponse, cache_error
from tests.support import Clock, Counter, in_threads


class Site:
    """An application with a view that returns a number, or raises `error` if set."""

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.app = Flask(__name__)
        self.app.secret_key = "for tests"
        self.app.testing = True
        self.store = MemoryStore(timer=self.clock)
        self.cache = Cache(
            self.app,
            config={"CACHE_TYPE": self.store, "CACHE_IN_TESTING": True, **settings},
        )
        self.calls = Counter()
        self.error: BaseException | None = None

    def answer(self) -> str:
        number = self.calls()
        if self.error is not None:
            raise self.error
        return str(number)

    def view(self, answer: Callable[[], Any] | None = None, **options: Any) -> None:
        """Add the view, cached for a minute."""

        def index() -> Any:
            return (answer or self.answer)()

        self.app.route("/")(self.cache.cached(60, **options)(index))

    def get(self, *, code: int = 200) -> str:
        answer = self.app.test_client().get("/")
        assert answer.status_code == code
        return answer.text


@pytest.fixture(autouse=True)
def own_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the caches of this file use the clocks of their stores."""

    def make(store: MemoryStore, **options: Any) -> FragmentCache:
        return FragmentCache(store, clock=store._now, **options)

    monkeypatch.setattr("jinja_fragcache.flask.app_setup.FragmentCache", make)


@pytest.fixture
def site() -> Site:
    return Site()


# What is served past the timeout


def as_view(site: Site, **options: Any) -> Callable[[], str]:
    site.view(**options)
    return site.get


def as_async_view(site: Site, **options: Any) -> Callable[[], str]:
    @site.app.route("/")
    @site.cache.cached(60, **options)
    async def index() -> str:
        await asyncio.sleep(0)
        return site.answer()

    return site.get


def as_memoized(site: Site, **options: Any) -> Callable[[], str]:
    @site.cache.memoize(60, **options)
    def function(_: int) -> str:
        return site.answer()

    return partial(function, 1)


def as_async_memoized(site: Site, **options: Any) -> Callable[[], str]:
    @site.cache.memoize(60, **options)
    async def function(_: int) -> str:
        await asyncio.sleep(0)
        return site.answer()

    return lambda: asyncio.run(function(1))


KINDS = [as_view, as_async_view, as_memoized, as_async_memoized]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("grace", [30, 29.5, timedelta(seconds=30)])
def test_a_stale_value_is_served_while_another_caller_makes_a_new_one(
    site: Site, kind: Callable[..., Callable[[], str]], grace: Any
) -> None:
    ask = kind(site, stale=grace)
    assert ask() == "1"
    site.clock.now += 89.9
    entered, go_on = threading.Event(), threading.Event()
    count = site.calls

    def slow() -> int:
        entered.set()
        assert go_on.wait(10)
        return count()

    site.calls = slow  # type: ignore[assignment]
    with ThreadPoolExecutor(1) as pool:
        renewal = pool.submit(ask)
        assert entered.wait(10)
        assert [ask(), ask()] == ["1", "1"]
        go_on.set()
        assert renewal.result() == "2"
    assert ask() == "2"
    assert site.cache.stats() == Stats(hits=3, misses=2, stored=2, stale=2)


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_good_value_is_served_if_the_function_raises(
    site: Site, kind: Callable[..., Callable[[], str]]
) -> None:
    ask = kind(site, stale_if_error=30)
    assert ask() == "1"
    site.error = ValueError("no")
    site.clock.now += 89.9
    assert ask() == "1"
    site.clock.now += 0.1
    with pytest.raises(ValueError, match="no"):
        ask()
    site.error = None
    assert ask() == "4"


@pytest.mark.parametrize("kind", KINDS)
def test_without_grace_periods_nothing_is_served_past_the_timeout(
    kind: Callable[..., Callable[[], str]],
) -> None:
    site = Site(CACHE_STALE=30, CACHE_STALE_IF_ERROR=30)
    ask = kind(site, stale=0, stale_if_error=0)
    ask()
    site.clock.now += 60
    site.error = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        ask()


@pytest.mark.parametrize("options", [{}, {"stale_if_error": None}])
@pytest.mark.parametrize("decorator", ["cached", "memoize", "tag"])
def test_the_settings_apply_where_no_option_is_given(
    decorator: str, options: dict[str, Any]
) -> None:
    site = Site(CACHE_STALE_IF_ERROR=timedelta(seconds=30))
    if decorator == "tag":
        given = "".join(f", {name}={value}" for name, value in options.items())
        page = "{% cache 60, 'x'" + given + " %}{{ answer() }}{% endcache %}"
        site.app.route("/")(lambda: render_template_string(page, answer=site.answer))
    elif decorator == "cached":
        site.view(**options)
    else:
        site.app.route("/")(site.cache.memoize(60, **options)(site.answer))
    assert site.get() == "1"
    site.clock.now += 89
    site.error = ValueError("no")
    assert site.get() == "1"


@pytest.mark.parametrize("decorator", ["cached", "memoize"])
@pytest.mark.parametrize("name", ["stale", "stale_if_error"])
@pytest.mark.parametrize("value", ["60", -1, True, float("nan"), [60]])
def test_a_wrong_grace_period_is_refused_by_the_decorator(
    site: Site, decorator: str, name: str, value: Any
) -> None:
    options = {name: value}
    with pytest.raises(PolicyError, match=f"^{name} can't be .* number of seconds"):
        getattr(site.cache, decorator)(60, **options)


# Which errors


@pytest.mark.parametrize(
    "error",
    [ValueError("no"), StopIteration("no"), ServiceUnavailable()],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_logged_and_signalled_once(
    site: Site, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    sent: list[Any] = []

    def hear(sender: Flask, **more: Any) -> None:
        sent.append((sender, more))

    site.view(stale=10, stale_if_error=60)
    site.get()
    site.clock.now += 60
    site.error = error
    with cache_error.connected_to(hear, site.app):
        assert site.get() == "1"
    key = "view//"
    assert sent == [(site.app, {"cache": site.cache, "key": key, "error": error})]
    assert caplog.messages == [
        f"{key!r} could not be refreshed. The old entry is served."
    ]
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("jinja_fragcache", logging.ERROR)
    assert record.exc_info is not None
    assert record.exc_info[1] is error
    assert record.exc_text is not None
    assert "in answer" in record.exc_text


@pytest.mark.parametrize("code", [302, 404, 499, 500, 503])
@pytest.mark.parametrize("how", ["code", "response"])
def test_an_http_exception_below_500_is_an_answer(
    site: Site, code: int, how: str
) -> None:
    class OwnError(HTTPException):
        pass

    OwnError.code = code
    site.view(stale=60, stale_if_error=60)
    site.get()
    site.clock.now += 60
    if how == "code":
        site.error = OwnError()
    else:
        site.error = HTTPException(response=Response("own", code))
    if code < 500:
        site.get(code=code)
    else:
        assert site.get() == "1"
    # What says that the resource is gone replaces the entry, or deletes it if it can't
    # be stored. Another error that is an answer is not stored.
    site.error = ValueError("no")
    if code == 404 and how == "response":
        assert site.get(code=404) == "own"
    elif code == 404:
        with pytest.raises(ValueError, match="no"):
            site.get()
    else:
        assert site.get() == "1"


def test_an_error_with_a_handler_is_raised_only_if_it_is_an_answer(
    site: Site,
) -> None:
    site.view(stale_if_error=60)
    for kind in (Conflict, LookupError):
        site.app.register_error_handler(kind, lambda _: ("handled", 418))
    site.get()
    site.clock.now += 60
    site.error = Conflict()
    assert site.get(code=418) == "handled"
    site.error = LookupError()
    assert site.get() == "1"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)])
def test_an_exception_that_ends_the_process_is_raised(
    site: Site, error: BaseException
) -> None:
    site.view(stale=60, stale_if_error=60)
    site.get()
    site.clock.now += 60
    site.error = error
    with pytest.raises(type(error)) as raised:
        site.get()
    assert raised.value is error


def test_an_error_in_a_stream_counts_as_the_views_error(site: Site) -> None:
    def stream() -> Response:
        def chunks() -> Iterator[str]:
            yield "begun "
            yield site.answer()

        return Response(chunks())

    site.view(stream, stale_if_error=60, response_hit_indication=True)
    assert site.get() == "begun 1"
    site.clock.now += 60
    site.error = ValueError("no")
    answer = site.app.test_client().get("/")
    assert (answer.text, answer.headers.get("hit_cache")) == ("begun 1", "True")


def test_a_returned_error_status_is_not_stored(site: Site) -> None:
    status = 200
    site.view(lambda: (site.answer(), status), stale_if_error=60)
    site.get()
    site.clock.now += 60
    status = 503
    assert [site.get(code=503), site.get(code=503)] == ["2", "3"]


# The other options


def test_the_hit_header_marks_answers_from_the_store(site: Site) -> None:
    inside: list[str | None] = []

    def mark() -> str | None:
        return site.app.test_client().get("/").headers.get("hit_cache")

    def answer() -> str:
        if not inside:
            inside.append(None)
        elif site.error is None:
            # Meanwhile another request gets the stale answer.
            in_threads(1, lambda _: inside.append(mark()))
        return site.answer()

    site.view(answer, stale=30, stale_if_error=60, response_hit_indication=True)
    assert [mark(), mark()] == [None, "True"]
    site.clock.now += 60
    assert mark() is None
    assert inside == [None, "True"]
    assert mark() == "True"
    site.clock.now += 90
    site.error = ValueError("no")
    assert mark() == "True"
    site.error = Conflict()
    assert mark() is None


def test_a_cached_response_has_the_grace_periods_of_its_view(site: Site) -> None:
    def answer() -> Response:
        return CachedResponse(make_response(site.answer()), timeout=5)

    site.view(answer, stale_if_error=10)
    assert [site.get(), site.get()] == ["1", "1"]
    site.clock.now += 5
    assert site.get() == "2"
    site.clock.now += 14.9
    site.error = ValueError("no")
    assert site.get() == "2"
    site.clock.now += 0.1
    with pytest.raises(ValueError, match="no"):
        site.get()


@pytest.mark.parametrize("option", ["forced_update", "is_stale"])
def test_a_refused_value_is_not_served_in_place_of_an_error(
    site: Site, option: str
) -> None:
    refused = False
    options: dict[str, Any] = {option: lambda *_: refused}
    site.view(stale=60, stale_if_error=60, **options)
    site.get()
    site.clock.now += 60
    refused = True
    assert site.get() == "2"
    site.clock.now += 60
    site.error = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        site.get()
    refused = False
    assert site.get() == "2"


def test_unless_bypasses_a_stale_value(site: Site) -> None:
    site.view(stale=60, stale_if_error=60, unless=lambda: site.clock.now > 1000)
    site.get()
    site.clock.now += 60
    assert [site.get(), site.get()] == ["2", "3"]
    site.error = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        site.get()


def test_a_value_that_response_filter_refuses_leaves_the_stale_one(site: Site) -> None:
    site.view(stale_if_error=60, response_filter=lambda answer: answer != "2")
    site.get()
    site.clock.now += 60
    assert site.get() == "2"
    site.error = ValueError("no")
    assert site.get() == "1"


def test_a_stored_none_may_be_served_in_place_of_an_error(site: Site) -> None:
    @site.cache.memoize(60, stale_if_error=60, cache_none=True)
    def function() -> None:
        site.answer()

    function()
    site.clock.now += 60
    site.error = ValueError("no")
    function()
    assert site.cache.stats().stale == 1


# Deleted values, and answers for one client


def test_a_deleted_value_is_not_served(site: Site) -> None:
    @site.cache.cached(60, key_prefix="plain", stale=60, stale_if_error=60)
    def cached() -> str:
        return site.answer()

    @site.cache.memoize(60, stale=60, stale_if_error=60)
    def memoized(_: int) -> str:
        return site.answer()

    deletes: list[tuple[Callable[[], str], Callable[[], object]]] = [
        (cached, lambda: site.cache.delete_cached(cached)),
        (cached, lambda: site.cache.delete("plain")),
        (cached, site.cache.clear),
        (partial(memoized, 1), lambda: site.cache.delete_memoized(memoized)),
        (partial(memoized, 1), lambda: site.cache.delete_memoized(memoized, 1)),
    ]
    for ask, delete in deletes:
        site.error = None
        ask()
        site.clock.now += 60
        delete()
        site.error = ValueError("no")
        with pytest.raises(ValueError, match="no"):
            ask()


def test_a_value_invalidated_while_the_function_fails_is_not_served(site: Site) -> None:
    @site.cache.memoize(60, stale_if_error=60)
    def memoized(_: int) -> str:
        if site.error is not None:
            site.cache.delete_memoized(memoized)
        return site.answer()

    memoized(1)
    site.clock.now += 60
    site.error = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        memoized(1)


def test_a_value_of_other_code_is_not_served(site: Site) -> None:
    def of_code(code: Callable[[], str]) -> Callable[[], str]:
        return site.cache.cached(
            60, key_prefix="x", stale=60, stale_if_error=60, source_check=True
        )(code)

    def fail() -> str:
        raise ValueError("no")

    of_code(lambda: "old")()
    site.clock.now += 60
    with pytest.raises(ValueError, match="no"):
        of_code(fail)()


def test_get_and_has_ignore_stale_values(site: Site) -> None:
    site.view(stale=60, stale_if_error=60)
    site.get()
    key = "view//"
    assert (site.cache.get(key), site.cache.has(key)) == ("1", True)
    site.clock.now += 60
    assert (site.cache.get(key), site.cache.has(key)) == (None, False)
    assert site.cache.get_many(key, key) == [None, None]
    assert site.cache.get_dict(key) == {key: None}
    site.error = ValueError("no")
    assert site.get() == "1"


def test_an_answer_for_one_client_is_never_served_in_place_of_an_error(
    site: Site,
) -> None:
    def greeting() -> str:
        number = site.answer()
        if site.calls.calls == 1:
            return f"Hello {number}"
        return f"Hello {session.get('user')} {number}"

    site.app.testing = False
    site.view(greeting, stale=60, stale_if_error=60)
    ann = site.app.test_client()
    with ann.session_transaction() as opened:
        opened["user"] = "Ann"
    assert site.get() == "Hello 1"
    site.clock.now += 60
    assert ann.get("/").text == "Hello Ann 2"
    site.error = ValueError("no")
    assert site.get() == "Hello 1"
    assert ann.get("/").text == "Hello 1"


def test_a_failed_view_may_change_the_session(site: Site) -> None:
    def counting() -> str:
        if site.error is not None:
            session["seen"] = True
        return site.answer()

    site.view(counting, stale_if_error=60)
    site.get()
    site.clock.now += 60
    site.error = ValueError("no")
    client = site.app.test_client()
    answer = client.get("/")
    assert (answer.text, "Set-Cookie" in answer.headers) == ("1", True)
    with client.session_transaction() as opened:
        assert opened["seen"]


def test_head_gets_a_stale_answer_and_does_not_refresh_it(
    site: Site,
) -> None:
    site.view(stale_if_error=60)
    site.get()
    site.clock.now += 60
    assert site.app.test_client().head("/").status_code == 200
    site.error = ValueError("no")
    assert site.app.test_client().head("/").headers["Content-Length"] == "1"
    assert site.get() == "1"


def test_each_request_gets_its_own_response(site: Site) -> None:
    def answer() -> Response:
        if site.error is not None:
            raise site.error
        return make_response("text")

    site.view(answer, stale_if_error=60)
    site.app.after_request(lambda response: response.headers.add("X", "1") or response)
    site.get()
    site.clock.now += 60
    site.error = ValueError("no")
    for _ in range(2):
        answered = site.app.test_client().get("/")
        assert answered.headers.getlist("X") == ["1"]


def test_an_error_is_raised_if_nothing_is_stored(site: Site) -> None:
    site.view(lambda: abort(503), stale_if_error=60)
    site.get(code=503)
