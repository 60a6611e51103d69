from typing import Any

import pytest
from jinja2 import TemplateSyntaxError

from jinja_fragcache.body import depends_on_page
from tests.support import RecordingStore, environment

LOOPS: dict[str, Any] = {"extensions": ["jinja2.ext.loopcontrols"]}


@pytest.mark.parametrize(
    "body",
    [
        "{% break %}",
        "{% if x %}{% continue %}{% endif %}",
        "{% for b in a %}{% else %}{% break %}{% endfor %}",
        "{% with %}{% filter upper %}{% break %}{% endfilter %}{% endwith %}",
        "{% cache %}{% for b in a %}{% endfor %}{% break %}{% endcache %}",
    ],
)
def test_a_loop_can_not_be_left_from_inside_a_fragment(body: str) -> None:
    source = "{% for a in x %}\n{% cache %}\n" + body + "{% endcache %}{% endfor %}"
    with pytest.raises(
        TemplateSyntaxError, match=r"can't leave a cached fragment.*Put the loop inside"
    ) as raised:
        environment({"page": source}, **LOOPS).get_template("page")
    assert raised.value.lineno == 3


def test_a_loop_inside_a_fragment_can_be_left() -> None:
    source = (
        "{% cache %}{% for a in 'abc' %}{% if a == 'b' %}{% break %}{% endif %}{{ a }}"
        "{% endfor %}{% endcache %}"
    )
    template = environment(**LOOPS).from_string(source)
    assert [template.render(), template.render()] == ["a", "a"]


@pytest.mark.parametrize(
    ("body", "depends"),
    [
        ("text {{ x }}", False),
        ("{% block a %}{% endblock %}", True),
        (
            "{% if x %}{% with %}{% block a %}{% endblock %}{% endwith %}{% endif %}",
            True,
        ),
        ("{{ self.a() }}", True),
        ("{{ super() }}", True),
        ("{{ x.self }}", False),
    ],
)
def test_what_depends_on_the_page(
    body: str,
    depends: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    assert depends_on_page(environment().parse(body).body) is depends


def renders_the_same(source: str) -> None:
    """Check a template's output against the same without its cache tags, twice."""
    plain = source
    for tag in ("{% cache %}", "{% endcache %}"):
        plain = plain.replace(tag, "")
    for enable_async in (False, True):
        store = RecordingStore()
        env = environment({"t": source, "p": plain}, store, enable_async=enable_async)
        expected = env.get_template("p").render(caller="outer")
        assert expected.strip()
        template = env.get_template("t")
        assert [template.render(caller="outer") for _ in range(2)] == [expected] * 2
        assert store.calls.count("set") == source.count("{% cache %}")


@pytest.mark.parametrize(
    "source",
    [
        # the caller of the macro around it
        (
            "{% macro m() %}<{% cache %}{{ caller(1) }}{% endcache %}>{% endmacro %}"
            "{% call(x) m() %}called {{ x }}{% endcall %}"
        ),
        # through two fragments
        (
            "{% macro m() %}{% cache %}a{% cache %}{{ caller() }}{% endcache %}"
            "{{ caller() }}{% endcache %}{% endmacro %}{% call m() %}c{% endcall %}"
        ),
        # its extra arguments
        (
            "{% macro m() %}{% cache %}{{ varargs }}{{ kwargs }}{% endcache %}"
            "{% endmacro %}{{ m(1, 2, a=3) }}"
        ),
        # a call block inside of a fragment has a caller of its own
        (
            "{% macro m() %}[{{ caller() }}]{% endmacro %}"
            "{% cache %}{% call m() %}inner{% endcall %}{% endcache %}"
        ),
        # the caller of the macro around, given on to a call block's arguments
        (
            "{% macro show(x) %}({{ x }}{{ caller() }}){% endmacro %}"
            "{% macro m() %}{% cache %}{% call show(caller()) %}in{% endcall %}"
            "{% endcache %}{% endmacro %}{% call m() %}out{% endcall %}"
        ),
        # a macro inside of a fragment, with the outer caller as a default
        (
            "{% macro m() %}{% cache %}{% macro i(x=caller()) %}{{ x }}{% endmacro %}"
            "{{ i() }}{% endcache %}{% endmacro %}{% call m() %}c{% endcall %}"
        ),
        # a macro inside of a fragment has a caller of its own
        (
            "{% cache %}{% macro m() %}[{{ caller() }}]{% endmacro %}"
            "{% call m() %}x{% endcall %}{% endcache %}"
        ),
        # outside of macros it is a variable like any other
        "{% cache %}{{ caller }}{% endcache %}",
        "{% cache %}{% set caller = 'own' %}{{ caller }}{% endcache %}",
        (
            "{% cache %}{% if nothing %}{% set caller = 'own' %}{% endif %}"
            "{{ caller }}{% endcache %}"
        ),
        "{% cache %}{% for caller in 'ab' %}{{ caller }}{% endfor %}{% endcache %}",
        # a call block around a fragment
        (
            "{% macro m() %}[{{ caller() }}]{% endmacro %}"
            "{% call m() %}a{% cache %}b{% endcache %}c{% endcall %}"
        ),
    ],
)
def test_a_body_sees_the_macro_around_it(source: str) -> None:
    renders_the_same(source)


def test_a_macro_without_a_caller_may_ask_for_one() -> None:
    source = (
        "{% macro m() %}{% cache %}{{ 'with' if caller else 'without' }}{% endcache %}"
        "{% endmacro %}{{ m() }}"
    )
    renders_the_same(source)
