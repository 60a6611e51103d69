from typing import Any

import pytest

from jinja_fragcache.guard.messages import explain, function_remedy, tag_remedy
from jinja_fragcache.guard.reads import Read
from tests.guard.support import Present

IN_HOLE = "put it into {% nocache %}...{% endnocache %}"


def tag(*names: str, **values: Any) -> str:
    """Return what is told of a tag that lacks some reads."""
    reads = [Read(name) for name in names]
    return tag_remedy(reads, Present(**values), lambda added: f"TAG {', '.join(added)}")


def test_what_was_read_and_where_is_told() -> None:
    read = Read("session.user", where=("page.html:2", "part.html:3"))
    assert explain([read], "Write so.") == (
        "Its body reads session.user (page.html:2 > part.html:3), which differs"
        " between requests and is not in its key. Write so."
    )


def test_a_tag_is_told_of_the_key_of_holes_and_of_what_may_pass() -> None:
    assert tag("session.user", "g.a", session=1, g=1) == (
        'Write TAG session.get("user"), g.get("a"), or ' + IN_HOLE + ", or write"
        " allow=['session.user', 'g.a'] if others may see the same."
    )


def test_all_of_a_mapping_makes_its_items_needless() -> None:
    told = tag("session.user", "session", session={})
    assert told.startswith("Write TAG session|dictsort, or")


# A token in the key would make an entry for each request.
@pytest.mark.parametrize("name", ["csrf_token", "flashed messages"])
def test_what_belongs_into_no_key_is_put_into_a_hole(name: str) -> None:
    assert tag(name).startswith("Put it into {% nocache %}")


def test_what_else_has_to_be_written_for_a_key_is_told() -> None:
    told = tag("locale")
    assert told.startswith(
        'Write TAG get_locale() with app.jinja_env.globals["get_locale"] ='
        " flask_babel.get_locale, or let vary_on of the cache have it, or"
    )
    assert tag("locale", get_locale=str).startswith("Write TAG get_locale(), or")


def test_the_tags_of_other_delimiters_are_told_in_these() -> None:
    told = tag_remedy([Read("csrf_token")], Present(), str, ("<%", "%>"))
    assert told.startswith("Put it into <% nocache %>...<% endnocache %>")


def test_functions_are_told_of_their_options() -> None:
    present = Present(session=1)
    told = function_remedy([Read("session.user")], present, ", ".join)
    assert told == (
        "Write session.get(\"user\"), or allow=['session.user'] if others may get the"
        " same value."
    )


def test_functions_are_told_of_what_belongs_into_no_key() -> None:
    told = function_remedy([Read("csrf_token")], Present(), ", ".join)
    assert told.startswith("It belongs into no key: cache what is the same for all, or")


def test_a_token_is_put_into_a_hole_and_the_rest_into_the_key() -> None:
    told = tag("session.user", "csrf_token", session=1)
    assert told.startswith(
        "Put csrf_token into {% nocache %}...{% endnocache %}, and write"
        ' TAG session.get("user"), or write allow='
    )


@pytest.mark.parametrize("token", ["csrf_token", "flashed messages"])
def test_a_session_that_is_shown_with_a_token_belongs_into_no_key(token: str) -> None:
    assert tag("session", token, session={}).startswith("Put it into {% nocache %}")


def test_functions_are_told_of_a_token_beside_what_a_key_may_have() -> None:
    reads = [Read("session.user"), Read("csrf_token")]
    told = function_remedy(reads, Present(session=1), ", ".join)
    assert told.startswith("csrf_token belongs into no key: cache what is the same")
