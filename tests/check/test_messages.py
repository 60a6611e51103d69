import pytest

from tests.check.support import findings


def cached(body: str, key: str = "") -> str:
    return f'{{% cache 300, "x"{key and ", " + key} %}}{body}{{% endcache %}}'


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (
            cached("{{ user.a }}{{ user.b }}{{ user.c }}{{ user.d }}{{ user.e }}"),
            '"x" reads user.a, user.b, user.c and 2 more, which is not in its key: what'
            " one visitor sees is served to the next.",
        ),
        (
            "{% set who = user.name %}" + cached("{{ who }}"),
            '"x" reads who, made from user.name, which is not in its key: what one'
            " visitor sees is served to the next.",
        ),
        (
            cached("{{ csrf_token() }}"),
            '"x" contains csrf_token(), which is for one visitor and one page: put it'
            " into a hole.",
        ),
        (
            cached("{{ a|dateformat }}"),
            '"x" contains the filter dateformat, which differs from language to'
            " language, and there is no locale in its key.",
        ),
        (
            "\n{% for a in b %}" + cached("{{ a.c }}") + "{% endfor %}",
            '"x" reads a.c: a is of the loop in line 2, and is not in its key, so all'
            " rows print what the first one did.",
        ),
        (
            "{% macro m(a) %}" + cached("{{ a }}") + "{% endmacro %}",
            '"x" reads a: a is an argument of the macro in line 1, and is not in its'
            " key, so all calls print what the first one did.",
        ),
        (
            "{% macro m() %}" + cached("{{ caller() }}") + "{% endmacro %}",
            '"x" reads caller(): it is called by the macro in line 1, and no argument'
            " of the macro is in its key, so all calls print what the first one did.",
        ),
        (
            "{% set a = b.c %}" + cached("{{ a }}"),
            '"x" reads a: a is set in line 1, and is not in its key.',
        ),
        (
            cached("{{ url_for('a', _external=true) }}"),
            '"x" contains a link with the host of the request that stored it, and the'
            " host is not in its key.",
        ),
        (
            cached("{{ request.args.get('q') }}"),
            '"x" reads request.args.get("q"), which is not in its key: all requests are'
            " served what the first one asked for.",
        ),
        (
            cached("{{ post.id }}"),
            '"x" reads post.id, and its key does not tell which post it shows.',
        ),
    ],
)
def test_messages(page: str, message: str) -> None:
    [finding] = findings(page)
    assert finding.message == message


def test_a_binding_in_another_template_is_named_with_it() -> None:
    templates = {
        "page.html": "\n{% for a in b %}{% include 'row' %}{% endfor %}",
        "row": cached("{{ a }}"),
    }
    assert "the loop in page.html:2" in findings(templates)[0].message


def test_reads_have_a_place_and_the_way_to_it() -> None:
    templates = {
        "page.html": cached("{% include 'part' %}{{ user.age }}"),
        "part": "{% from 'macros' import m %}{{ m() }}",
        "macros": "{% macro m() %}\n{{ user.name }}{% endmacro %}",
    }
    assert findings(templates)[0].reads == (
        'user.name in macros:2, by include "part" > macro m',
        "user.age in page.html:1",
    )


def test_a_fragment_without_a_name_is_named_by_its_place() -> None:
    page = "{% cache %}{% endcache %}{% cache %}{{ user }}{% endcache %}"
    assert findings(page)[0].message.startswith('"page.html:1#2" reads user')
