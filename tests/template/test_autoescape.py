import re
from typing import Any

import pytest

from jinja_fragcache import (
    FragmentCache,
    make_template_fragment_key,
)
from tests.support import RecordingStore, environment


def autoescape_html(name: str | None) -> bool:
    return bool(name and name.endswith(".html"))


def without_cache(source: str) -> str:
    return re.sub(r"{% (end)?cache.*?%}", "", source)


def test_a_text_is_never_served_under_another_autoescape_state() -> None:
    store = RecordingStore()
    env = environment(store=store)
    source = (
        "{% autoescape how %}{% cache 5, 'x' %}{{ n }}{% endcache %}{% endautoescape %}"
    )
    template = env.from_string(source)
    assert template.render(how=True, n="<1>") == "&lt;1&gt;"
    assert template.render(how=False, n="<2>") == "<2>"
    assert template.render(how=False, n="<3>") == "<2>"
    assert template.render(how=True, n="<4>") == "&lt;4&gt;"


def test_an_environment_without_autoescape_does_not_escape() -> None:
    store = RecordingStore()
    env = environment(store=store, autoescape=False)
    template = env.from_string("{% cache 5, 'x' %}{{ n }}{% endcache %}")
    assert [template.render(n=n) for n in ("<1>", "<2>")] == ["<1>", "<1>"]
    (stored,) = store.values.values()
    assert stored.endswith("\n<1>")
    assert FragmentCache(store).get(make_template_fragment_key("x")) == "<1>"


def test_autoescape_may_depend_on_the_name_of_the_template() -> None:
    source = "{% cache 5, 'x' %}{{ n }}{% endcache %}"
    env = environment(
        {"a.html": source, "b.txt": source},
        autoescape=autoescape_html,
    )
    assert env.get_template("a.html").render(n="<") == "&lt;"
    assert env.get_template("b.txt").render(n="<") == "<"


@pytest.mark.parametrize("outside", [False, True])
def test_the_autoescape_state_of_the_template_with_the_tag_counts(
    outside: bool,
) -> None:
    nav = "{% cache 300, 'nav', u %}{{ u }}{% endcache %}"
    block = "{% block b %}" + nav + "{% endblock %}" if outside else nav
    templates = {
        "base.txt": block,
        "plain.txt": "{% extends 'base.txt' %}",
        "page.html": nav,
        "mixed.html": "{% extends 'base.txt' %}",
    }
    plain = {name: without_cache(text) for name, text in templates.items()}
    names = ["plain.txt", "page.html", "mixed.html", "plain.txt", "page.html"]
    expected = [
        environment(plain, autoescape=autoescape_html)
        .get_template(name)
        .render(u="<i>")
        for name in names
    ]
    env = environment(templates, autoescape=autoescape_html)
    assert [env.get_template(name).render(u="<i>") for name in names] == expected
    assert "&lt;i&gt;" in expected


@pytest.mark.parametrize("optimized", [True, False])
def test_a_fragment_in_a_macro_is_escaped_as_where_the_macro_is_defined(
    optimized: bool,
) -> None:
    source = (
        "{% macro m() %}{% cache 5, 'x' %}{{ u }}{% endcache %}{% endmacro %}"
        "{% autoescape true %}{{ m() }}{% cache 5, 'x' %}{{ u }}{% endcache %}"
        "{% endautoescape %}"
    )
    options: dict[str, Any] = {"autoescape": False, "optimized": optimized}
    expected = environment(**options).from_string(without_cache(source)).render(u="<")
    template = environment(**options).from_string(source)
    assert [template.render(u="<") for _ in range(2)] == [expected] * 2


def test_any_true_value_turns_autoescape_on() -> None:
    source = (
        "{% autoescape how %}{% cache 5, 'x' %}{{ n }}{% endcache %}{% endautoescape %}"
    )
    template = environment().from_string(source)
    assert [template.render(how=how, n="<") for how in ([1], [], [1])] == [
        "&lt;",
        "<",
        "&lt;",
    ]
