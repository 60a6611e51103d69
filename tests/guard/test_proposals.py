from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import Environment
from werkzeug.datastructures import MultiDict

from jinja_fragcache.guard.proposals import propose
from jinja_fragcache.messages import quoted
from tests.guard.support import Present


class User:
    """A user of Flask-Login."""

    id = 7

    def get_id(self) -> str:
        return "7"


def expression(name: str, value: Any = None, *, in_template: bool = True) -> str | None:
    present = Present(**{name.partition(".")[0]: value, name: value})
    found = propose(name, present, in_template=in_template)
    return found and found.expression


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("request.args.values", "x", 'request.args.get("values")'),
        ('session.it"s', "x", 'session.get("it\\"s")'),
        ("session.a.b", "x", 'session.get("a.b")'),
        ("request.META.REMOTE_ADDR", "x", 'request.META.get("REMOTE_ADDR")'),
        ("request.headers.user-agent", "x", 'request.headers.get("user-agent")'),
        ("request.host", "x", "request.host"),
        ("request.user name", "x", 'request["user name"]'),
        ("request.get_host()", "x", "request.get_host()"),
        ("session", {"a": 1}, "session|dictsort"),
        ("current_user", User(), "current_user.get_id()"),
        ("current_user", None, "current_user.get_id()"),
        ("uobj", User(), "uobj.get_id()"),
        ("tenant", SimpleNamespace(uuid="x"), "tenant.uuid"),
        ("menu", ["a"], "menu"),
        ("g.user", User(), 'g.get("user").get_id() if g.get("user") else none'),
        (
            "request.user",
            SimpleNamespace(username="x", is_authenticated=True),
            "request.user.username if request.user.is_authenticated else none",
        ),
        ("request.path_params", {"a": 1}, "request.path_params|dictsort"),
        (
            "request.view_args",
            {"a": 1},
            "request.view_args|dictsort if request.view_args else none",
        ),
        ("request.view_args", {"a": object()}, None),
        ("made", object(), None),
        ("made", iter("x"), None),
        ("g.made", object(), None),
        ("csrf_token", "x", None),
        ("request.headers", {}, None),
    ],
)
def test_a_read_is_put_into_a_key_by(name: str, value: Any, told: str | None) -> None:
    assert expression(name, value) == told


def test_functions_are_told_in_python() -> None:
    told = expression("session", {"a": 1}, in_template=False)
    assert told == "sha256(repr(sorted(session.items())).encode()).hexdigest()"
    found = propose("locale", Present(), in_template=False)
    assert found == ("get_locale()", "from flask_babel import get_locale")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("session", {"a": 1}, "dict(session)"),
        ("request.view_args", {"a": 1}, "dict(request.view_args or ())"),
        ("request.args", MultiDict({"a": "1"}), "request.args.to_dict(flat=False)"),
    ],
)
def test_a_memoized_function_gets_all_of_a_mapping_as_a_value(
    name: str, value: Any, told: str
) -> None:
    present = Present(takes_values=True, request=None, **{name: value})
    found = propose(name, present, in_template=False)
    assert found == (told, "")


def test_what_a_template_does_not_have_is_not_proposed() -> None:
    assert propose("shop.currency", Present(), in_template=True) is None


@pytest.mark.parametrize("text", ["a", 'it"s', "it's", "\\", "ü\n", "\"'\\'"])
def test_texts_are_quoted_as_templates_and_python_read_them(text: str) -> None:
    source = "{{ " + quoted(text) + " }}"
    assert Environment().from_string(source).render() == text
    assert eval(quoted(text)) == text  # noqa: S307 - that is what is tested
