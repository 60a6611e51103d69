"""Whatever the text of a template is, only a TemplateSyntaxError comes out."""

import re
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, TemplateSyntaxError

from jinja_fragcache import FragmentCacheExtension

EXTENSIONS = ["jinja2.ext.do", "jinja2.ext.i18n", "jinja2.ext.loopcontrols"]
# Tags, and what stands for them in a template without them.
WITHOUT = [
    (re.compile(r"\{%[-+]?\s*cache_each\b.*?%\}", re.DOTALL), "{% for i in x %}"),
    (re.compile(r"\{%[-+]?\s*endcache_each\b.*?%\}", re.DOTALL), "{% endfor %}"),
    (re.compile(r"\{%[-+]?\s*(end)?(cache|nocache)\b.*?%\}", re.DOTALL), ""),
]
OPTIONS_OF: dict[str, dict[str, Any]] = {
    "sync": {},
    "async": {"enable_async": True},
    "unoptimized": {"optimized": False},
    "escaped": {"autoescape": True},
}
PLAIN = {
    name: Environment(extensions=EXTENSIONS, **options)
    for name, options in OPTIONS_OF.items()
}
TAGGED = {
    name: Environment(extensions=[*EXTENSIONS, FragmentCacheExtension], **options)
    for name, options in OPTIONS_OF.items()
}


def error_of(compile_: Callable[[str], object], source: str) -> type[Exception] | None:
    with warnings.catch_warnings():
        # Python warns of some of the code that Jinja generates, such as `1()`.
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            compile_(source)
        except Exception as error:  # noqa: BLE001 - which one, is what is tested
            return type(error)
    return None


def check(source: str, kind: str) -> None:
    """Check that a template compiles, or fails as one with a mistake should."""
    for name in ("parse", "compile"):
        error = error_of(getattr(TAGGED[kind], name), source)
        if error is None or issubclass(error, TemplateSyntaxError):
            continue
        # Some errors are Jinja's own.
        plain = source
        for pattern, text in WITHOUT:
            plain = pattern.sub(text, plain)
        assert error_of(getattr(PLAIN[kind], name), plain) is error


# Arguments


ARGUMENTS = [
    "{[]: 1}",
    "300, 'a' ~ 10**5000",
    "300, 10**5000",
    "300, 'a', 10**5000",
    "300, a, 10**5000",
    "10**5000, 'a'",
    "300, 'a', {[]: 1}",
    "300, a, b if c else {{}: 1}",
    "300, 'a', [{}, {[]: 1}][1]",
    "300, 'a', vary_on={{}: 1}",
    "300, 'a', unless={{}: 1}",
    "300, 'a', tags=[{}, {{}: 1}]",
    "300, 'a', tags=[10**5000]",
    "300, 'a', version=10**5000",
    "300, 'a', version={[]: 1}",
    "300, 'a', stale=10**5000",
    "300, 'a', stale_if_error={[]: 1}",
    "300, 'a', template_digest=10**5000",
    "300, 'a', template_digest=[] ~ 10**5000",
    "timeout={[]: 1}",
    "timeout=[] * 10**5000",
]


@pytest.mark.parametrize("env", TAGGED.values(), ids=TAGGED)
@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_an_argument_that_can_not_be_computed_is_an_error_with_its_line(
    arguments: str, env: Environment
) -> None:
    source = "a\n\n{% cache " + arguments + " %}x{% endcache %}"
    row = "a\n\n{% cache_each i in x, " + arguments + " %}x{% endcache_each %}"
    for text in (source, row):
        with pytest.raises(TemplateSyntaxError) as raised:
            env.compile(text)
        assert raised.value.lineno == 3
        assert "\n" not in str(raised.value.message)


@pytest.mark.parametrize("env", TAGGED.values(), ids=TAGGED)
@pytest.mark.parametrize(
    "head",
    [
        "i in {[]: 1}, 300, 'a', i",
        "i in 'a' ~ 10**5000, 300, 'a', i",
        "i in x if {[]: 1}, 300, 'a', i",
        "i in x if i == 10**5000, 300, 'a', i",
    ],
)
def test_a_loop_that_can_not_be_computed_is_an_error_with_its_line(
    head: str, env: Environment
) -> None:
    source = "a\n{% cache_each " + head + " %}x{% endcache_each %}"
    with pytest.raises(TemplateSyntaxError, match="can't be computed") as raised:
        env.compile(source)
    assert raised.value.lineno == 2


# Generated templates

LEAVES = """
    a b.c x['y'] 1 0.5 none true 'del' "s" [] {} () loop caller self super varargs
    kwargs 10**5000 -1 1e400 '\\ud800' a.b.c() _('t') a cache_tag('x') range(3)
    (a)is(odd)
"""
EXPRESSIONS = st.recursive(
    st.sampled_from(LEAVES.split()),
    lambda inner: st.one_of(
        st.tuples(inner, inner, st.sampled_from(["+", "~", "**", " in ", " or "])).map(
            lambda t: f"({t[0]}{t[2]}{t[1]})"
        ),
        inner.map(lambda e: f"{{{e}: 1}}"),
        inner.map(lambda e: f"[{e}, 1]"),
        inner.map(lambda e: f"{e}|upper"),
        inner.map(lambda e: f"{e}|nofilter"),
        inner.map(lambda e: f"({e} is notest)"),
        inner.map(lambda e: f"({e} if a else {e})"),
        inner.map(lambda e: f"f({e}, k={e}, *{e}, **{e})"),
        inner.map(lambda e: f"{e}[{e}:{e}]"),
    ),
    max_leaves=4,
)
OPTIONS = st.sampled_from(
    [
        "timeout",
        "name",
        "vary_on",
        "unless",
        "stale",
        "stale_if_error",
        "tags",
        "version",
        "template_digest",
        "nothing",
    ]
)
ARGUMENT = st.one_of(
    EXPRESSIONS, st.tuples(OPTIONS, EXPRESSIONS).map("=".join), st.just("*a")
)
HEADS = st.one_of(
    st.just("300, 'k', a"),
    st.just("300, 'k'"),
    st.just(""),
    st.lists(ARGUMENT, max_size=4).map(", ".join),
    st.lists(ARGUMENT, max_size=3).map(" ".join),
)
TARGETS = st.sampled_from(["i", "i, j", "(i, j), k", "loop", "caller", "a.b", "true"])


def statements() -> st.SearchStrategy[str]:
    leaf = st.one_of(
        EXPRESSIONS.map("{{{{ {} }}}}".format),
        EXPRESSIONS.map("{{% set x = {} %}}".format),
        EXPRESSIONS.map("{{% include {} %}}".format),
        EXPRESSIONS.map("{{% include {} without context %}}".format),
        EXPRESSIONS.map("{{% extends {} %}}".format),
        EXPRESSIONS.map("{{% import {} as caller %}}".format),
        EXPRESSIONS.map("{{% do {} %}}".format),
        st.sampled_from(["{% break %}", "{% continue %}", "text", "\n", "{# c #}"]),
    )

    def around(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        body = st.lists(inner, max_size=3).map("".join)
        each = st.tuples(TARGETS, EXPRESSIONS, HEADS, body, body)
        return st.one_of(
            st.tuples(HEADS, body).map(
                lambda t: f"{{% cache {t[0]} %}}{t[1]}{{% endcache %}}"
            ),
            body.map(lambda b: f"{{% nocache %}}{b}{{% endnocache %}}"),
            each.map(
                lambda t: (
                    f"{{% cache_each {t[0]} in {t[1]}, {t[2]} %}}{t[3]}"
                    f"{{% else %}}{t[4]}{{% endcache_each %}}"
                )
            ),
            each.map(
                lambda t: f"{{% for {t[0]} in {t[1]} if {t[1]} %}}{t[3]}{{% endfor %}}"
            ),
            st.tuples(EXPRESSIONS, body, body).map(
                lambda t: f"{{% if {t[0]} %}}{t[1]}{{% else %}}{t[2]}{{% endif %}}"
            ),
            st.tuples(EXPRESSIONS, body).map(
                lambda t: f"{{% with x = {t[0]} %}}{t[1]}{{% endwith %}}"
            ),
            st.tuples(EXPRESSIONS, body).map(
                lambda t: f"{{% autoescape {t[0]} %}}{t[1]}{{% endautoescape %}}"
            ),
            body.map(lambda b: f"{{% macro m(a, b=caller) %}}{b}{{% endmacro %}}"),
            body.map(lambda b: f"{{% call(a) m(1) %}}{b}{{% endcall %}}"),
            body.map(lambda b: f"{{% filter upper %}}{b}{{% endfilter %}}"),
            body.map(lambda b: f"{{% set y %}}{b}{{% endset %}}"),
            body.map(lambda b: f"{{% block b scoped %}}{b}{{% endblock %}}"),
        )

    return st.recursive(leaf, around, max_leaves=8)


@given(st.lists(statements(), max_size=3).map("".join), st.sampled_from(list(TAGGED)))
def test_templates_of_statements(source: str, kind: str) -> None:
    check(source, kind)


WORDS = """
    {% %} {{ }} {# #} {%- -%} cache endcache cache_each endcache_each nocache
    endnocache if endif for endfor in else set endset block endblock extends raw
    endraw a i 300 'k' "k" , : = ( ) [ ] { } | . * ~ ** none true vary_on tags
    unless timeout loop caller recursive upper not include import as
"""
TOKENS = st.sampled_from([*WORDS.split(), "\n", "text", "\\", "'", "\x00", "\ud800"])


@given(st.lists(TOKENS, max_size=30).map(" ".join), st.sampled_from(list(TAGGED)))
def test_templates_of_tokens(source: str, kind: str) -> None:
    check(source, kind)
