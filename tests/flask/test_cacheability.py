"""What is done with a session inside of a block, however sessions are made."""

from typing import Any

import pytest
from flask import Flask, session
from flask.sessions import SecureCookieSession, SessionInterface, SessionMixin
from werkzeug.exceptions import NotFound

from jinja_fragcache import Cache
from jinja_fragcache.flask.cacheability import SessionWatch, is_view


class Frozen(dict[str, Any], SessionMixin):
    """A session that tells of itself, and does not let others say it."""

    @property
    def accessed(self) -> bool:  # type: ignore[override]
        return True

    @property
    def modified(self) -> bool:  # type: ignore[override]
        return bool(self)


class Silent(dict[str, Any]):
    """A session that tells nothing."""


class Interface(SessionInterface):
    def __init__(self, opened: Any) -> None:
        self.opened = opened

    def open_session(self, app: Flask, request: Any) -> Any:
        return self.opened

    def save_session(self, app: Flask, session: Any, response: Any) -> None: ...


def watching(opened: Any) -> tuple[Flask, SessionWatch]:
    app = Flask(__name__)
    app.session_interface = Interface(opened)
    with app.test_request_context():
        return app, SessionWatch()


@pytest.mark.parametrize(
    ("use", "read", "changed"),
    [
        (lambda: None, False, False),
        (lambda: session.get("a"), True, False),
        (lambda: session.update(a=1), True, True),
    ],
)
@pytest.mark.parametrize("before", [False, True])
def test_only_what_is_done_inside_counts(
    use: Any,
    read: bool,  # noqa: FBT001 - a parameter of the test
    changed: bool,  # noqa: FBT001 - the same
    before: bool,  # noqa: FBT001 - the same
) -> None:
    opened = SecureCookieSession()
    app = Flask(__name__)
    app.session_interface = Interface(opened)
    with app.test_request_context():
        if before:
            session["b"] = 1
        with SessionWatch() as watch:
            use()
    assert (watch.read, watch.changed) == (read, changed)
    # Flask is told of both, or the session would not be saved.
    assert opened.modified is (changed or before)
    assert opened.accessed is (read or before)
    assert watch.is_empty() is not (changed or before)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0]])
@pytest.mark.parametrize("before", [False, True])
def test_what_is_done_in_any_of_several_blocks_counts(
    order: list[int],
    before: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    uses: list[Any] = [lambda: session.update(a=1), lambda: None, lambda: None]
    app = Flask(__name__)
    app.session_interface = Interface(SecureCookieSession())
    with app.test_request_context():
        if before:
            session.get("b")
        watch = SessionWatch()
        for which in order:
            with watch:
                uses[which]()
    assert (watch.read, watch.changed) == (True, True)
    assert watch.was_read_before() is before


def test_a_session_that_can_not_be_told_is_taken_as_it_is() -> None:
    _, watch = watching(Frozen(user="ann"))
    with watch:
        pass
    assert (watch.read, watch.changed) == (True, True)


def test_a_session_that_tells_nothing_was_not_used() -> None:
    _, watch = watching(Silent())
    with watch:
        pass
    assert (watch.read, watch.changed) == (False, False)


def test_without_a_route_there_is_no_view() -> None:
    app = Flask(__name__)

    def view() -> str:
        return "text"

    assert not is_view(view)
    with app.test_request_context("/nowhere"):
        assert not is_view(view)
    app.add_url_rule("/", endpoint="later")
    with app.test_request_context("/"):
        assert not is_view(view)


def test_an_error_that_is_returned_is_an_answer() -> None:
    app = Flask(__name__)
    cache = Cache(app, config={"CACHE_TYPE": "simple"})

    @app.route("/")
    @cache.cached()
    def index() -> Any:
        response = app.make_response("mine")
        response.set_cookie("user", "ann")
        return NotFound(response=response)

    assert app.test_client().get("/").text == "mine"
    assert cache.stats().stored == 0


def test_what_is_no_answer_is_flasks_matter() -> None:
    app = Flask(__name__)
    cache = Cache(app, config={"CACHE_TYPE": "simple"})

    @app.route("/")
    @cache.cached()
    def index() -> Any:
        return ("text", 200, {}, "too much")

    app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(TypeError, match="valid response tuple"):
        app.test_client().get("/")
