"""With `vary_on="auto"`, output with the cache = output without it."""

import re
from itertools import count
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st
from jinja2 import ChainableUndefined, Environment, TemplateSyntaxError

from jinja_fragcache import FragmentCache, fragment_cache_of, set_fragment_cache
from tests.support import environment

NAMES = ["a", "b", "c", "d"]
ATOMS = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "p", "q"])
VALUES = (
    ATOMS
    | st.lists(ATOMS, max_size=2)
    | st.dictionaries(st.sampled_from(["k", "l"]), ATOMS, max_size=2)
)
# A hole reads nothing that is bound in a fragment, so nothing binds this name.
CONTEXTS = st.dictionaries(st.sampled_from([*NAMES, "e"]), VALUES)
names = st.sampled_from(NAMES)
expressions = st.one_of(
    names,
    names.map("{}.k".format),
    names.map('{}["l"]'.format),
    names.map('{}|default("-")'.format),
    names.map("{}.k.upper()".format).map(lambda text: f"({text})|string"),
    st.builds("({} ~ {})".format, names, names),
    st.builds("({} if {} else {}.k)".format, names, names, names),
    st.builds("[{}, {}][1]".format, names, names),
)
outputs = expressions.map("<{{{{ {} }}}}>".format)
TAG = '{{% cache NEXT, vary_on="auto" %}}{}{{% endcache %}}'
LIST = (
    '{{% cache_each {} in {}|string|list, NEXT, vary_on="auto" %}}'
    "{}{{{{ loop.index }}}}{{% endcache_each %}}"
)


def _larger(bodies: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("{}{}".format, bodies, bodies),
        st.builds("{}{}{}".format, bodies, bodies, bodies),
        st.builds(
            "{{% if {} %}}{}{{% else %}}{}{{% endif %}}".format, *[names, *[bodies] * 2]
        ),
        st.builds("{{% if {} == 1 %}}{}{{% endif %}}".format, names, bodies),
        st.builds(
            "{{% for {} in {}|string %}}{}{{{{ loop.index }}}}{{% endfor %}}".format,
            names,
            names,
            bodies,
        ),
        st.builds(
            "{{% with {} = {} %}}{}{{% endwith %}}".format, names, expressions, bodies
        ),
        st.builds("{{% set {} %}}{}{{% endset %}}".format, names, bodies),
        st.builds(
            "{{% macro m({}) %}}{}{{% endmacro %}}{{{{ m({}) }}}}".format,
            names,
            bodies,
            expressions,
        ),
        st.builds(
            "{{% macro w({}) %}}{}({{{{ caller() }}}}){{% endmacro %}}"
            "{{% call w({}) %}}{}{{% endcall %}}".format,
            names,
            outputs,
            expressions,
            bodies,
        ),
        bodies.map(TAG.format),
        st.builds(LIST.format, names, names, bodies),
    )


def _bodies(more: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    leaves = st.one_of(
        outputs,
        st.builds("{{% set {} = {} %}}".format, names, expressions),
        more,
    )
    bodies = st.recursive(leaves, _larger, max_leaves=4)

    # Hypothesis writes out what a strategy consists of, but for a function.
    @st.composite
    def drawn(draw: st.DrawFn) -> str:
        return draw(bodies)

    return drawn()


LEAF = _bodies(outputs)
INCLUDING = st.sampled_from(
    [
        '{% include "leaf" %}',
        '{% include "leaf" without context %}',
        '{% include ["none", "leaf"] %}',
        '{% include "leaf" if a else "other" %}',
        '{% include "child" %}',
        '{% import "macros" as n with context %}{{ n.f(a) }}{{ n.g() }}',
        '{% from "macros" import f with context %}{{ f(b) }}',
        '{% from "macros" import f %}{{ f(b) }}',
        '{% import "macros" if b else "macros2" as n %}{{ n.f(1) }}',
        "{% nocache %}{{ e }}{{ e.k }}{% endnocache %}",
        "{{ top(a) }}",
        "{{ mod.f(c) }}{{ mod2.f(c) }}",
    ]
)
INNER = _bodies(INCLUDING.filter(lambda text: "child" not in text))
PAGE = _bodies(
    INCLUDING | st.sampled_from(['{% include "inner" %}', "{{ self.one() }}"])
)
SETS = st.lists(st.builds("{{% set {} = {} %}}".format, names, expressions), max_size=2)
FUNCTIONS = st.builds(
    "{}{{% macro f({}) %}}{}{{% endmacro %}}{{% macro g() %}}{}{{% endmacro %}}".format,
    SETS.map("".join),
    names,
    LEAF,
    outputs,
)


@st.composite
def _templates(draw: st.DrawFn) -> dict[str, str]:
    functions = draw(FUNCTIONS)
    top = f"{{% macro top({draw(names)}) %}}{draw(LEAF)}{{% endmacro %}}"
    modules = (
        '{% import "macros" as mod with context %}'
        '{% from "macros2" import f as f2 %}{% import "macros2" as mod2 %}'
    )
    before = draw(SETS.map("".join))
    body = draw(PAGE)
    blocks = f"{{% block one %}}{draw(LEAF)}{{% endblock %}}"
    around = draw(
        st.sampled_from(
            [
                "{}",
                "{{% for a in a|string %}}{}{{% endfor %}}",
                "{{% for x in c|string %}}{{% set b = x %}}{}{{% endfor %}}",
                "{{% with d = b %}}{}{{% endwith %}}",
                "{{% macro z(b) %}}{}{{% endmacro %}}{{{{ z(c) }}}}{{{{ z(1) }}}}",
            ]
        )
    )
    cached = around.format(TAG.format(body))
    override = f"{{% block one %}}{draw(LEAF)}{{{{ super() }}}}{{% endblock %}}"
    child = f'{{% extends "base" %}}{before}{override}'
    templates = {
        "leaf": draw(LEAF),
        "other": draw(outputs),
        "macros": functions,
        "macros2": draw(FUNCTIONS),
        "base": f"{draw(SETS.map(''.join))}{TAG.format(blocks)}{draw(outputs)}",
        "child": child,
        "inner": draw(INNER),
        "page": f"{top}{modules}{before}{cached}{TAG.format(blocks)}",
    }
    numbers = count()
    return {
        name: re.sub("NEXT", lambda _: f'9, "f{next(numbers)}"', text)
        for name, text in templates.items()
    }


def _without_tags(source: str) -> str:
    source = re.sub(r"{% cache_each (.*?), 9, .*?%}", r"{% for \1 %}", source)
    source = source.replace("{% endcache_each %}", "{% endfor %}")
    source = re.sub(r"{% (cache|nocache)\b.*?%}", "{% with %}", source)
    return re.sub(r"{% end(cache|nocache) %}", "{% endwith %}", source)


def _rendered(env: Environment, name: str, values: dict[str, Any]) -> str:
    try:
        return env.get_template(name).render(values)
    except Exception as error:  # noqa: BLE001 - the same without the cache
        return type(error).__name__


def _environments(templates: dict[str, str]) -> tuple[Environment, Environment]:
    plain = {name: _without_tags(text) for name, text in templates.items()}
    cached = environment(templates, undefined=ChainableUndefined)
    set_fragment_cache(cached, FragmentCache())
    return cached, environment(plain, undefined=ChainableUndefined)


@settings(max_examples=40)  # Each compiles sixteen templates.
@given(_templates(), st.lists(CONTEXTS, min_size=2, max_size=4))
def test_output_with_the_cache_is_that_without(
    templates: dict[str, str], contexts: list[dict[str, Any]]
) -> None:
    cached, plain = _environments(templates)
    try:
        for name in templates:
            cached.get_template(name)
    except TemplateSyntaxError as error:
        # Two values of one name, of which the tag can't see both; or a hole in a block
        # that may change what it prints.
        event("refused")
        told = error.message or ""
        assert "hidden" in told or "{% nocache %} is in" in told
        return
    for name in ("page", "child", "page"):
        for values in contexts:
            text = _rendered(cached, name, values)
            assert text == _rendered(plain, name, values), (name, values)
    event(f"hits: {fragment_cache_of(cached).stats().hits > 0}")
