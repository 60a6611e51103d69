"""Tags with `vary_on="auto"`, as templates have them."""

from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, FileSystemBytecodeCache, TemplateSyntaxError
from jinja2.lexer import Token

from jinja_fragcache import FragmentCache, FragmentTagError, set_fragment_cache
from jinja_fragcache.template import auto
from tests.support import environment, fragment_cache

TAG = '{% cache 300, "n", vary_on="auto" %}'
END = "{% endcache %}"


def strict(templates: dict[str, str] | str, **options: Any) -> Environment:
    if isinstance(templates, str):
        templates = {"page": templates}
    made = environment(templates, **options)
    set_fragment_cache(made, FragmentCache(strict=True))
    return made


def rendered(env: Environment, **values: Any) -> str:
    return env.get_template("page").render(values)


def counted(env: Environment) -> tuple[int, int]:
    stats = fragment_cache(env).stats()
    return stats.hits, stats.stored


def test_each_value_that_the_body_reads_is_in_the_key() -> None:
    env = strict(TAG + "{{ user.name }} {{ title }}" + END)
    ann, bob = {"name": "Ann", "age": 1}, {"name": "Bob"}
    assert rendered(env, user=ann, title="A") == "Ann A"
    assert rendered(env, user=bob, title="A") == "Bob A"
    assert rendered(env, user=bob, title="B") == "Bob B"
    assert counted(env) == (0, 3)
    # What it does not read is not.
    assert rendered(env, user={**ann, "age": 2}, title="A", other=3) == "Ann A"
    assert counted(env) == (1, 3)


def test_an_undefined_value_is_not_that_of_none_or_a_text() -> None:
    env = strict(TAG + "{{ a is defined }} {{ a }}" + END)
    assert rendered(env) == "False "
    assert rendered(env, a=None) == "True None"
    assert rendered(env, a="") == "True "
    assert rendered(env, a="undefined") == "True undefined"
    assert rendered(env) == "False "
    assert counted(env) == (1, 4)


@pytest.mark.parametrize(
    "body",
    [
        "{{ shop }}{{ now() }}{{ range(2)|list }}",
        "{{ given() }}",
        "{% nocache %}{{ given }}{% endnocache %}",
        "{% set given = 1 %}{{ given }}",
    ],
)
def test_globals_functions_and_holes_are_no_values(body: str) -> None:
    env = strict(TAG + body + END)
    env.globals.update(shop=object(), now=lambda: "now")
    for _ in range(2):
        rendered(env, given=lambda: "x")
    assert counted(env) == (1, 1)


def test_other_key_values_may_stand_beside_it() -> None:
    source = '{% cache 300, "n", lang, vary_on="auto" %}{{ a }}{{ f() }}' + END
    env = strict(source)
    assert rendered(env, a=1, lang="en", f=lambda: "en") == "1en"
    assert rendered(env, a=1, lang="de", f=lambda: "de") == "1de"
    assert counted(env) == (0, 2)


def test_rows_and_tags_without_a_name_may_have_it() -> None:
    source = (
        '{% cache_each p in posts, 300, "r", vary_on="auto" %}{{ p.t }}{{ site }};'
        '{% endcache_each %}{% for p in posts %}{% cache vary_on="auto" %}{{ p.t }}'
        "{% endcache %}{% endfor %}"
    )
    env = strict(source)
    posts = [{"t": "a"}, {"t": "b"}]
    assert rendered(env, posts=posts, site=1) == "a1;b1;ab"
    assert rendered(env, posts=[*posts, {"t": "c"}], site=1) == "a1;b1;c1;abc"
    assert counted(env) == (4, 6)
    assert rendered(env, posts=posts, site=2) == "a2;b2;ab"


def test_options_that_are_known_when_it_is_rendered() -> None:
    env = strict('{% cache t, "n", vary_on="auto", unless=u %}{{ a }}' + END)
    assert rendered(env, t=9, a=1) == "1"
    assert rendered(env, t=9, a=2) == "2"
    assert rendered(env, t=9, a=object, u=True).startswith("&lt;")
    assert counted(env) == (0, 2)


def test_what_includes_imports_and_blocks_read_is_in_the_key() -> None:
    templates = {
        "page": "{% extends 'base' %}{% block b %}{{ x }}{% endblock %}",
        "base": '{% cache 9, "n", vary_on="auto" %}{% block b %}{% endblock %}'
        "{% include 'inner' %}{% from 'lib' import m with context %}{{ m() }}"
        "{% endcache %}",
        "inner": "{{ y }}",
        "lib": "{% macro m() %}{{ z }}{% endmacro %}",
    }
    env = strict(templates)
    values = {"x": 1, "y": 2, "z": 3}
    assert rendered(env, **values) == "123"
    assert rendered(env, **values) == "123"
    assert counted(env) == (1, 1)
    for name in "xyz":
        changed = {**values, name: 5}
        assert rendered(env, **changed) == "".join(map(str, changed.values()))


def test_an_included_template_that_is_edited_may_read_other_names() -> None:
    templates = {"page": TAG + "{% include 'inner' %}" + END, "inner": "{{ a }}"}
    env = strict({})
    env.loader.mapping = templates  # type: ignore[union-attr]
    assert rendered(env, a=1, b=2) == "1"
    templates["inner"] = "{{ b }}"
    assert rendered(env, a=1, b=2) == "2"
    assert rendered(env, a=1, b=3) == "3"


@pytest.mark.parametrize(
    ("templates", "place"),
    [
        ({"page": "\n" + TAG + "\n{% include t %}" + END}, "page, line 3, includes"),
        ({"page": TAG + "{% import t as m %}{{ m.f() }}" + END}, "page, line 1, imp"),
        (
            {"page": TAG + "{% include 'inner' %}" + END, "inner": "\n{% include t %}"},
            "inner, line 2, includes",
        ),
        (
            {"page": TAG + "{% include 'inner' %}" + END, "inner": "{% extends t %}"},
            "inner, line 1, extends",
        ),
    ],
)
def test_what_can_not_be_read_is_an_error_of_the_template(
    templates: dict[str, str], place: str
) -> None:
    with pytest.raises(TemplateSyntaxError) as caught:
        strict(templates).get_template("page")
    message = caught.value.message or ""
    assert f'vary_on="auto" can\'t tell what the body reads: {place}' in message
    assert '{% cache 300, "row", item.id %}' in message
    assert caught.value.lineno == 1 + templates["page"].startswith("\n")


def test_a_value_that_can_not_be_encoded_is_refused_by_its_name() -> None:
    env = strict(TAG + "{{ a }}{{ thing.part }}" + END)
    with pytest.raises(FragmentTagError, match=r'thing\.part, which vary_on="auto"'):
        rendered(env, a=1, thing={"part": object()})


class Raising:
    @property
    def part(self) -> str:
        raise LookupError("no part")


def test_a_property_that_raises_is_refused_by_its_name() -> None:
    env = strict(TAG + "{% if a %}{{ thing.part }}{% endif %}" + END)
    with pytest.raises(FragmentTagError, match=r"thing\.part.*LookupError: no part"):
        rendered(env, a=0, thing=Raising())
    loose = environment({"page": TAG + "{% if a %}{{ thing.part }}{% endif %}-" + END})
    assert rendered(loose, a=0, thing=Raising()) == "-"
    assert fragment_cache(loose).stats().stored == 0


def test_a_macro_of_an_unknown_template_is_refused_by_its_name() -> None:
    templates = {
        "page": "{% macro m() %}{{ a }}{% endmacro %}{% include 'inner' %}",
        "inner": TAG + "{{ m() }}" + END,
    }
    with pytest.raises(FragmentTagError, match=r"m, which .* is a macro of another"):
        rendered(strict(templates), a=1)


@pytest.mark.parametrize("enable_async", [False, True])
def test_a_bytecode_cache_may_keep_it(tmp_path: Path, enable_async: bool) -> None:
    templates = {
        "page": TAG + "{{ a.b }}{% include 'inner' %}" + END,
        "inner": "{{ c }}",
    }
    for c in (2, 3):
        env = strict(
            templates,
            bytecode_cache=FileSystemBytecodeCache(str(tmp_path)),
            enable_async=enable_async,
        )
        assert rendered(env, a={"b": 1}, c=c) == f"1{c}"
        assert rendered(env, a={"b": 1}, c=c) == f"1{c}"
        assert counted(env) == (1, 1)


def test_a_template_without_auto_is_not_read_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[object] = []
    find = auto.needs_in

    def counting(env: Environment, tokens: list[Token]) -> dict[tuple[int, int], str]:
        calls.append(env)
        return find(env, tokens)

    monkeypatch.setattr("jinja_fragcache.template.auto.needs_in", counting)
    env = strict("")
    env.from_string('{% cache 300, "n", a %}{{ a }}' + END + '{{ "auto" }}')
    assert not calls
    env.from_string(TAG + "{{ a }}" + END)
    assert len(calls) == 1


def test_a_block_that_a_macro_prints_is_that_of_the_page() -> None:
    templates = {
        "base": "{% macro m() %}{{ self.b() }}{% endmacro %}"
        + TAG
        + "{{ m() }}"
        + END
        + "{% block b %}{% endblock %}",
        "page": "{% extends 'base' %}{% block b %}1{% endblock %}",
        "other": "{% extends 'base' %}{% block b %}2{% endblock %}",
    }
    env = strict(templates)
    for _ in range(2):
        assert rendered(env) == "11"
        assert env.get_template("other").render() == "22"
