"""What is set above a tag is known by the paths that it reads."""

import pytest
from jinja2 import Environment
from jinja2.lexer import Token

from jinja_fragcache.render.bodies import tag_names
from jinja_fragcache.template.set_above import (
    Above,
    read_above,
    set_above,
    told_above,
)
from jinja_fragcache.template.tag_sites import _Nesting

TAG = "{% cache 60, 'n' %}{{ u }}{% endcache %}"


def found(source: str) -> dict[str, Above]:
    """Return what is set above the only cache tag of a template."""
    tokens: list[Token] = list(Environment()._tokenize(source, None))
    tags = tag_names(tokens)
    (above,) = set_above(tokens, tags, _Nesting(tokens, tags).ended).values()
    return above


@pytest.mark.parametrize(
    ("source", "paths", "is_plain"),
    [
        ("{% set u = session.u %}", "session.u", True),
        ("{% set u = session['u'] %}", "session.u", True),
        ("{% set u = session.get('u') %}", "session.u", True),
        ("{% set u = request.args.get('page', 1) %}", "request.args.page", False),
        ("{% set u = request.headers['X-User'] %}", "request.headers.X-User", True),
        ("{% set u = session['a b'] %}", "session.*", False),
        ("{% set u = session.u or g.u %}", "session.u g.u", False),
        ("{% set u = session.u|default('') %}", "session.u.*", False),
        ("{% set u = session|length %}", "session.*", False),
        ("{% set u = a.b if c is defined else 'd' %}", "a.b c", False),
        ("{% set u = request.get_json() %}", "request.*", False),
        ("{% set u = session.items()|list %}", "session.*", False),
        ("{% set u = session.setdefault('u', 1) %}", "session.u", False),
        ("{% set u = 'vip' in session %}", "session.vip", False),
        ("{% set u = 'vip' not in session %}", "session.vip", False),
        ("{% set u = a and 'vip' in g.u %}", "a g.u.vip", False),
        ("{% set u = 'a' ~ 'vip' in session %}", "session.*", False),
        ("{% set u = a in session %}", "a session.*", False),
        ("{% set u = load(session.u, key=g.k) %}", "session.u g.k", False),
        ("{% set u = namespace(a=session.u) %}", "session.u", False),
        ("{% set a, u = session.u, g.u %}", "session.u g.u", False),
        ("{% set s = session %}{% set u = s.u %}", "session.u", True),
        ("{% set u = 1 %}{% set u = session.u %}", "session.u", True),
        ("{% if 1 %}{% set u = session.u %}{% endif %}", "session.u", False),
        (
            "{% if 1 %}{% set u = session.u %}{% else %}{% set u = g.u %}{% endif %}",
            "session.u g.u",
            False,
        ),
        ("{% if session.a %}{% set u = 1 %}{% endif %}", "session.a.*", False),
        ("{% if 'a' in session %}{% set u = 1 %}{% endif %}", "session.a.*", False),
        ("{% if session %}{% set u = 1 %}{% endif %}", "session.*", False),
        (
            "{% set u = 1 %}{% if session.a %}{% else %}{% set u = 2 %}{% endif %}",
            "session.a.*",
            False,
        ),
        (
            "{% if 1 %}{% elif session.a %}{% elif g.b %}{% set u = 1 %}{% endif %}",
            "session.a.* g.b.*",
            False,
        ),
        (
            "{% if g.b %}{% if session.a %}{% set u = 1 %}{% endif %}{% endif %}",
            "session.a.* g.b.*",
            False,
        ),
        (
            "{% set a = g.a %}{% if a %}{% set u = session.u %}{% endif %}",
            "session.u g.a.*",
            False,
        ),
        ("{% if session.a %}{% endif %}{% set u = g.u %}", "g.u", True),
        ("{% with a = 1, u = session.u %}", "session.u", True),
        ("{% for x in y %}{% set u = session.u %}", "session.u", True),
    ],
)
def test_what_a_name_reads(source: str, paths: str, *, is_plain: bool) -> None:
    ends = {"with": "{% endwith %}", "for": "{% endfor %}"}
    end = next((end for tag, end in ends.items() if f"% {tag} " in source), "")
    assert found(source + TAG + end)["u"] == Above(tuple(paths.split()), is_plain)


@pytest.mark.parametrize(
    "source",
    [
        TAG,
        TAG + "{% set u = session.u %}",
        "{% set u = session.u %}{% set u = 1 %}" + TAG,
        "{% set u %}{{ session.u }}{% endset %}" + TAG,
        "{% set u = load() %}" + TAG,
        "{% for x in y %}{% set u = session.u %}{% endfor %}" + TAG,
        "{% with u = session.u %}{% endwith %}" + TAG,
        "{% macro m() %}{% set u = session.u %}{% endmacro %}" + TAG,
        "{% set u = session.u %}{% for u in y %}" + TAG + "{% endfor %}",
        "{% set u = session.u %}{% macro m(u) %}" + TAG + "{% endmacro %}",
        "{% cache 60, 'n' %}{% set u = session.u %}{{ u }}{% endcache %}",
    ],
)
def test_other_names_read_nothing_above(source: str) -> None:
    assert "u" not in found(source)


def test_a_key_tells_what_its_names_were_set_to() -> None:
    above = {
        "me": Above(("current_user",), is_plain=True),
        "u": Above(("session.u", "g.u"), is_plain=False),
    }
    told = "me.id u current_user.id"
    assert told_above("me.id u", above) == told
    assert read_above("", "me u x", above) == "current_user g.u session.u"
    assert read_above("me.id u", "me u", above) == "current_user"
    assert read_above("session.u", "u", above) == "g.u"
