import pytest

from jinja_fragcache.guard.messages import explain
from jinja_fragcache.guard.reads import Read


def test_what_was_read_and_where_is_told() -> None:
    told = explain([Read("session.user", where=("page.html:2", "part.html:3"))])
    assert told == (
        "Its body reads session.user (page.html:2 > part.html:3), which differs"
        " between requests and is not in its key. Write session.user behind the name,"
        " or put it into {% nocache %}...{% endnocache %}, or write"
        " allow=['session.user'] if others may see the same."
    )


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("current_user", "Write current_user.get_id() behind the name"),
        ("locale", "Write get_locale() behind the name"),
        ("request.headers.user-agent", 'Write request.headers["user-agent"] behind'),
        (
            'request.args.getlist("tag")',
            'Write request.args.getlist("tag") behind the name',
        ),
        # A token in the key would make an entry for each request.
        ("csrf_token", "its key. Put it into {% nocache %}"),
        ("flashed messages", "its key. Put it into {% nocache %}"),
    ],
)
def test_what_to_write_is_told(name: str, told: str) -> None:
    assert told in explain([Read(name)])


def test_functions_are_told_of_their_options() -> None:
    told = explain([Read("session.user")], in_template=False)
    assert "(make_cache_key=...), or write allow=['session.user']" in told
    assert "nocache" not in told
