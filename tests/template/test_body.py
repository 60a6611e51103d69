import re
from typing import Any

import pytest
from jinja2 import (
    DictLoader,
    Environment,
    TemplateError,
    TemplateSyntaxError,
    pass_context,
)
from jinja2.meta import find_undeclared_variables
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

from jinja_fragcache import FragmentCacheExtension
from jinja_fragcache.template.parts import facts_of
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
        ("{% cache 300, 'a', self.a() %}{% endcache %}", True),
        ("{{ x.self }}", False),
    ],
)
def test_a_body_with_a_block_self_or_super_depends_on_the_page(
    body: str,
    depends: bool,
) -> None:
    assert facts_of(environment().parse(body).body).depends_on_page is depends


CONTEXT = {"caller": "outer", "title": "outer title"}


def renders_the_same(source: str) -> None:
    """Check that a template prints the same without its cache tags, on miss and hit."""
    plain = source
    for tag in ("{% cache %}", "{% endcache %}"):
        plain = plain.replace(tag, "")
    for enable_async in (False, True):
        store = RecordingStore()
        templates = {"t": source, "p": plain, "p2": ""}
        env = environment(templates, store, enable_async=enable_async)
        expected = env.get_template("p").render(CONTEXT)
        template = env.get_template("t")
        assert [template.render(CONTEXT) for _ in range(2)] == [expected] * 2
        assert store.calls.count("set") == source.count("{% cache %}")


@pytest.mark.parametrize(
    "source",
    [
        # The caller of the macro around it.
        (
            "{% macro m() %}<{% cache %}{{ caller(1) }}{% endcache %}>{% endmacro %}"
            "{% call(x) m() %}called {{ x }}{% endcall %}"
        ),
        # The caller, through two fragments.
        (
            "{% macro m() %}{% cache %}a{% cache %}{{ caller() }}{% endcache %}"
            "{{ caller() }}{% endcache %}{% endmacro %}{% call m() %}c{% endcall %}"
        ),
        # The extra arguments of the macro around it.
        (
            "{% macro m() %}{% cache %}{{ varargs }}{{ kwargs }}{% endcache %}"
            "{% endmacro %}{{ m(1, 2, a=3) }}"
        ),
        # A call block inside of a fragment has a caller of its own.
        (
            "{% macro m() %}[{{ caller() }}]{% endmacro %}"
            "{% cache %}{% call m() %}inner{% endcall %}{% endcache %}"
        ),
        # The caller of the macro around it, in the arguments of a call block.
        (
            "{% macro show(x) %}({{ x }}{{ caller() }}){% endmacro %}"
            "{% macro m() %}{% cache %}{% call show(caller()) %}in{% endcall %}"
            "{% endcache %}{% endmacro %}{% call m() %}out{% endcall %}"
        ),
        # The outer caller, as a default of a macro inside of a fragment.
        (
            "{% macro m() %}{% cache %}{% macro i(x=caller()) %}{{ x }}{% endmacro %}"
            "{{ i() }}{% endcache %}{% endmacro %}{% call m() %}c{% endcall %}"
        ),
        # A macro inside of a fragment has a caller of its own.
        (
            "{% cache %}{% macro m() %}[{{ caller() }}]{% endmacro %}"
            "{% call m() %}x{% endcall %}{% endcache %}"
        ),
        # Outside of macros, `caller` is a variable like any other.
        "{% cache %}{{ caller }}{% endcache %}",
        "{% cache %}{% set caller = 'own' %}{{ caller }}{% endcache %}",
        (
            "{% cache %}{% if nothing %}{% set caller = 'own' %}{% endif %}"
            "{{ caller }}{% endcache %}"
        ),
        "{% cache %}{% for caller in 'ab' %}{{ caller }}{% endfor %}{% endcache %}",
        # A call block around a fragment.
        (
            "{% macro m() %}[{{ caller() }}]{% endmacro %}"
            "{% call m() %}a{% cache %}b{% endcache %}c{% endcall %}"
        ),
    ],
)
def test_a_body_reads_caller_and_arguments_of_the_macro_around_it(source: str) -> None:
    renders_the_same(source)


@pytest.mark.parametrize(
    "body",
    [
        "{{ caller() }}{% for caller in 'ab' %}{{ caller }}{% endfor %}",
        "{{ kwargs.a }}\n{% set kwargs = 1 %}{{ kwargs }}",
    ],
)
def test_a_body_that_reads_and_sets_caller_or_kwargs_is_refused(body: str) -> None:
    source = "{% macro m() %}{% cache %}" + body + "{% endcache %}{% endmacro %}"
    with pytest.raises(TemplateSyntaxError, match="Choose another name"):
        environment().from_string(source)


@pytest.mark.parametrize(
    "source",
    [
        "{% cache %}{{ title }}{% endcache %}{% set title = 'x' %}",
        "{% cache %}{{ title }}{% endcache %}{% set title %}x{% endset %}{{ title }}",
        "{% cache %}{{ title }}{% endcache %}{% import 'p2' as title %}",
        "{% cache %}{{ title }}{% endcache %}{% macro title() %}{% endmacro %}",
        "{% cache %}{% if 1 %}{{ title }}{% endif %}{% endcache %}{% set title = 1 %}",
        (
            "{% cache %}{% macro m() %}{{ title }}{% endmacro %}{{ m() }}{% endcache %}"
            "{% set title = 'x' %}"
        ),
        (
            "{% for a in [1] %}{% cache %}{{ title }}{% endcache %}"
            "{% set title = 'x' %}{% endfor %}"
        ),
        (
            "{% cache %}{% for a in [1] %}{{ title }}{% endfor %}{% endcache %}"
            "{% set title = 'x' %}"
        ),
        (
            "{% block b %}{% cache %}{{ title }}{% endcache %}"
            "{% set title = 'x' %}{% endblock %}"
        ),
        (
            "{% cache %}{% cache %}{{ title }}{% endcache %}{% endcache %}"
            "{% set title = 1 %}"
        ),
    ],
)
def test_a_body_reads_a_variable_that_is_set_again_after_it(source: str) -> None:
    renders_the_same(source)


def test_jinja_finds_the_undeclared_variables_of_a_body() -> None:
    env = environment()
    plain = (
        "{{ a }}{% for b in c %}{{ b }}{{ range(d) }}{% endfor %}{% set e = 1 %}{{ e }}"
    )
    cached = "{% cache 300, 'x' %}" + plain + "{% endcache %}"
    found = [find_undeclared_variables(env.parse(each)) for each in (plain, cached)]
    assert found[0] == found[1] == {"a", "c", "d"}


@pytest.mark.parametrize("name", ["caller", "kwargs", "varargs"])
def test_a_block_in_a_body_has_its_own_caller_and_arguments(name: str) -> None:
    block = "{% block b %}{% if " + name + " %}x{% endif %}ok{% endblock %}"
    for body in (block, "{{ " + name + " }}" + block):
        env = environment({"t": "{% cache 300, 'x' %}" + body + "{% endcache %}"})
        assert [env.get_template("t").render() for _ in range(2)] == ["ok", "ok"]


def test_a_template_included_without_context_is_resolved_from_its_own_template() -> (
    None
):
    class Relative(Environment):
        def join_path(self, template: str, parent: str) -> str:
            return f"{parent.rpartition('/')[0]}/{template}"

    include = "{% include 'part' without context %}"
    templates = {
        "a/layout": "{% cache 5, 'x' %}" + include + "{% endcache %}",
        "a/part": "A",
        "b/part": "B",
        "b/page": "{% extends layout %}",
    }
    env = Relative(loader=DictLoader(templates), extensions=[FragmentCacheExtension])
    layout = env.get_template("a/layout")
    assert env.get_template("b/page").render(layout=layout) == "A"


def test_a_body_may_check_whether_its_macro_has_a_caller() -> None:
    source = (
        "{% macro m() %}{% cache %}{{ 'with' if caller else 'without' }}{% endcache %}"
        "{% endmacro %}{{ m() }}"
    )
    renders_the_same(source)


# Unknown filters and tests


@pytest.mark.parametrize("enable_async", [False, True])
@pytest.mark.parametrize(
    "around",
    [
        "{% if z is defined %}BODY{% endif %}",
        "{% if not z %}{% else %}BODY{% endif %}",
        "{% if not z %}{% elif z %}BODY{% else %}BODY{% endif %}",
        "{% if z %}{% set a = 1 %}BODY{% endif %}",
        "{% if z %}{% autoescape true %}BODY{% endautoescape %}{% endif %}",
        "{% if z %}{% cache 300, 'o' %}BODY{% endcache %}{% endif %}",
        (
            "{% if z %}{% cache 300, 'o' %}{% nocache %}BODY{% endnocache %}"
            "{% endcache %}{% endif %}"
        ),
        "{% if z %}{% nocache %}BODY{% endnocache %}{% endif %}",
        # No branch, or a scope in between: an error while compiling, in both cases.
        "BODY",
        "{% if z %}{% with %}BODY{% endwith %}{% endif %}",
        "{% if z %}{% for a in [] %}BODY{% endfor %}{% endif %}",
        "{% if z %}{% for a in [] %}{% else %}BODY{% endfor %}{% endif %}",
        "{% if z %}{% set b %}BODY{% endset %}{% endif %}",
        "{% if z %}{% block b %}BODY{% endblock %}{% endif %}",
        "{% if z %}a{% endif %}BODY",
        "{% for a in [] %}{% if z %}a{% endif %}BODY{% endfor %}",
        "{% if z %}{% filter upper %}BODY{% endfilter %}{% endif %}",
    ],
)
@pytest.mark.parametrize("use", ["{{ z|nofilter }}", "{{ 1 if z is notest }}"])
def test_an_unknown_filter_in_a_branch_is_an_error_when_it_is_used(
    around: str, use: str, enable_async: bool
) -> None:
    tagged = around.replace("BODY", "{% cache 300, 'k' %}" + use + "{% endcache %}")
    plain = re.sub(r"{% (end)?(no)?cache.*?%}", "", around.replace("BODY", use))
    outcomes = []
    for source in (tagged, plain):
        env = environment(enable_async=enable_async)
        found = []
        for context in ({}, {"z": 1}):
            try:
                found.append(env.from_string(source).render(context))
            except TemplateError as error:
                found.append(type(error).__name__)
        outcomes.append(found)
    assert outcomes[0] == outcomes[1]


def test_what_is_set_in_the_else_of_a_list_ends_with_it() -> None:
    loop = "{% for a in [] %}{% else %}{% set b = 1 %}{% endfor %}{{ b }}"
    listed = loop.replace("for a in []", "cache_each a in [], 300, 'x', a", 1)
    listed = listed.replace("endfor", "endcache_each")
    env = environment()
    assert env.from_string(listed).render() == env.from_string(loop).render() == ""


# Functions that take the context


@pass_context
def seen(context: Context) -> str:
    return str(context.get("x", "-"))


@pytest.mark.parametrize("kind", [Environment, SandboxedEnvironment])
@pytest.mark.parametrize("enable_async", [False, True])
@pytest.mark.parametrize(
    "use",
    [
        "{{ seen() }}",
        "{% if y %}{{ [seen()] }}{% endif %}",
        # Jinja replaces what is set in the loop around by what is set in this one.
        "{{ seen() }}{% for j in [] %}{{ j }}{% endfor %}{{ seen() }}",
        "{{ seen() }}{% for j in [1] %}{% set x = 3 %}{{ seen() }}{% endfor %}{{ seen() }}",
        "{% if not y %}{% for j in [1] %}{{ j }}{% endfor %}{% endif %}{{ seen() }}",
    ],
)
@pytest.mark.parametrize(
    "around",
    [
        "{% block b %}{% set x = 1 %}BODY{% endblock %}",
        "{% for i in [1, 2] %}{% set x = i %}BODY{% endfor %}",
        "{% block b %}{% set x = 1 %}{% if y %}BODY{% endif %}{% endblock %}",
        "{% block b %}{% set x = 1 %}{% for i in [1] %}BODY{% endfor %}{% endblock %}",
        "{% block b %}{% set x = 1 %}{% for i in [] %}{% else %}BODY{% endfor %}{% endblock %}",
        "{% block b %}{% set x = 1 %}{% with %}BODY{% endwith %}{% endblock %}",
        "{% block b %}{% set x = 1 %}{% filter upper %}BODY{% endfilter %}{% endblock %}",
        "{% block b %}{% set x = 1 %}{% cache 300, 'o' %}BODY{% endcache %}{% endblock %}",
        "{% block b %}{% set x = 1 %}{% nocache %}BODY{% endnocache %}{% endblock %}",
        "{% block b %}{% set x = 1 %}{% cache 300, 'o' %}{% nocache %}BODY{% endnocache %}{% endcache %}{% endblock %}",
        "{% for i in [1] %}{% set x = 1 %}{% cache 300, 'o' %}{% nocache %}BODY{% endnocache %}{% endcache %}{% endfor %}",
        "{% cache 300, 'o' %}{% nocache %}{% for i in [1] %}{% set x = 1 %}{% nocache %}BODY{% endnocache %}{% endfor %}{% endnocache %}{% endcache %}",
        "{% set x = 1 %}BODY",
        "{% set x = 1 %}{% block b %}BODY{% endblock %}",
        "{% for i in [] %}{% set x = 1 %}{% else %}{% set x = 2 %}BODY{% endfor %}",
        "{% for i in [1] %}{% set x = 1 %}{% if y %}{% set z = 2 %}BODY{% endif %}{% endfor %}",
        "{% macro m() %}{% set x = 1 %}BODY{% endmacro %}{% block b %}{{ m() }}{% endblock %}",
    ],
)
def test_a_function_sees_what_is_set_around_the_fragment(
    around: str, use: str, kind: type[Environment], enable_async: bool
) -> None:
    tagged = around.replace("BODY", "{% cache 300, 'k', x %}" + use + "{% endcache %}")
    plain = re.sub(r"{% (end)?(no)?cache.*?%}", "", around.replace("BODY", use))
    env = kind(extensions=[FragmentCacheExtension], enable_async=enable_async)
    context = {"seen": seen, "y": 1}
    expected = env.from_string(plain).render(context)
    template = env.from_string(tagged)
    assert [template.render(context) for _ in range(2)] == [expected] * 2


@pytest.mark.parametrize(
    "around",
    [
        "{% for i in [1, 2] %}{% set x = i %}BODY{% endfor %}",
        "{% block a %}{% set x = i %}BODY{% endblock %}",
    ],
)
def test_a_function_in_the_key_of_an_inner_fragment_sees_what_is_set_around_both(
    around: str,
) -> None:
    body = (
        "{% cache 300, 'o', i %}{% cache 300, 'k', seen() %}{{ x }}"
        "{% endcache %}{% endcache %}"
    )
    template = environment().from_string(around.replace("BODY", body))
    pages = [template.render(seen=seen, i=i) for i in (1, 2)]
    assert "".join(pages) in {"12", "1212"}
