"""The work of compiling a template is linear in its length, however it is nested."""

from collections.abc import Iterator
from typing import Any

import pytest
from jinja2 import Environment, nodes

from tests.support import environment, files_of_calls

NESTS = {
    "fragment": ("{% cache 300, 'a' %}", "{% endcache %}"),
    "default name": ("{% cache %}", "{% endcache %}"),
    "options": ("{% cache 300, 'a', b, tags=c %}", "{% endcache %}"),
    "list": ("{% cache_each a in b, 300, 'a', a %}", "{% endcache_each %}"),
    "hole": (
        "{% cache 300, 'a' %}{% nocache %}{{ y }}{% endnocache %}",
        "{% endcache %}",
    ),
    "hole behind": (
        "{% cache 300, 'a' %}",
        "{% nocache %}{{ y }}{% endnocache %}{% endcache %}",
    ),
    "in a hole": (
        "{% cache 300, 'a' %}{% nocache %}{{ y }}",
        "{% endnocache %}{% endcache %}",
    ),
    "list with holes": (
        "{% cache_each a in b, 300, 'a', a %}{% nocache %}{{ y }}{% endnocache %}",
        "{% endcache_each %}",
    ),
    "autoescape": (
        "{% cache 300, 'a' %}{% autoescape true %}{% nocache %}{{ y }}{% endnocache %}",
        "{% endautoescape %}{% endcache %}",
    ),
    "includes": (
        "{% cache 300, 'a' %}{% nocache %}{% include y %}{% endnocache %}",
        "{% include y without context %}{% endcache %}",
    ),
}
CALL = ("{% call m() %}", "{% endcall %}")


def nested(nest: tuple[str, str], depth: int) -> str:
    start, end = nest
    return start * depth + "{{ x }}" + end * depth


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many nodes were looked at, by whatever runs."""
    visited = [0]
    real = nodes.Node.iter_fields

    def counting(self: nodes.Node, *args: Any, **kwargs: Any) -> Iterator[Any]:
        visited[0] += 1
        return real(self, *args, **kwargs)

    monkeypatch.setattr(nodes.Node, "iter_fields", counting)
    return visited


def visits(env: Environment, source: str, work: list[int], *, parse: bool) -> int:
    """Return how many nodes are looked at while a template is parsed or compiled."""
    work[0] = 0
    if parse:
        env.parse(source)
    else:
        env.compile(source, raw=True)
    return work[0]


@pytest.mark.parametrize("nest", NESTS.values(), ids=NESTS)
@pytest.mark.parametrize("enable_async", [False, True])
def test_parsing_is_linear_in_the_depth(
    nest: tuple[str, str], enable_async: bool, work: list[int]
) -> None:
    env = environment(enable_async=enable_async)
    few, many = (
        visits(env, nested(nest, depth), work, parse=True) for depth in (5, 20)
    )
    assert many < few * 4 * 1.5


@pytest.mark.parametrize("nest", NESTS.values(), ids=NESTS)
def test_compiling_grows_as_that_of_call_blocks(
    nest: tuple[str, str], work: list[int]
) -> None:
    env = environment()
    few, many = (
        visits(env, nested(nest, depth), work, parse=False) for depth in (4, 16)
    )
    few_calls, many_calls = (
        visits(env, nested(CALL, depth), work, parse=False) for depth in (4, 16)
    )
    # Jinja itself looks through the whole body of a macro, at each level.
    assert many / few < many_calls / few_calls * 1.6


@pytest.mark.parametrize("nest", NESTS.values(), ids=NESTS)
def test_the_compiled_template_is_linear_in_the_depth(nest: tuple[str, str]) -> None:
    env = environment()
    few, many = (
        # Lines, since each level is indented.
        len(env.compile(nested(nest, depth), raw=True).splitlines())
        for depth in (5, 20)
    )
    assert many < few * 4 * 1.5


@pytest.mark.parametrize("nest", NESTS.values(), ids=NESTS)
def test_compiling_is_linear_in_the_number_of_tags(
    nest: tuple[str, str], work: list[int]
) -> None:
    env = environment()
    few, many = (
        visits(env, nested(nest, 2) * times, work, parse=False) for times in (10, 40)
    )
    assert many < few * 4 * 1.2


def test_a_hole_in_each_of_many_fragments_is_compiled_once() -> None:
    env = environment()
    for name in ("hole", "hole behind", "in a hole"):
        source = nested(NESTS[name], 8).replace("y", "uniquename")
        assert env.compile(source, raw=True).count("undefined(name='uniquename')") == 8


def python_calls(source: str) -> int:
    """How many calls of Python functions compile a template."""
    env = environment()
    env.compile(source, raw=True)
    with files_of_calls() as called:
        env.compile(source, raw=True)
    return len(called)


@pytest.mark.parametrize("depth", [12, 24])
@pytest.mark.parametrize(
    ("name", "times"), [("fragment", 1.6), ("list", 3.9), ("hole", 4.1)]
)
def test_the_work_of_nested_fragments_is_near_that_of_call_blocks(
    name: str, times: float, depth: int
) -> None:
    fragments = python_calls(nested(NESTS[name], depth))
    assert fragments < python_calls(nested(CALL, depth)) * times


@pytest.mark.parametrize(
    ("start", "times"),
    [
        ("{% cache 300, 'a' %}", 1.25),
        ("{% cache 300, 'a', item.id %}", 1.35),
        ("{% cache 300, 'a' %}{% nocache %}{{ a }}{% endnocache %}", 1.8),
        ("{% cache_each i in b, 300, 'a', i %}", 1.85),
    ],
)
def test_the_work_of_fragments_in_a_row_is_near_that_of_call_blocks(
    start: str, times: float
) -> None:
    body = "<p>{{ a.b|upper }}</p>{% if a %}{{ a }}{% endif %}{{ c(a.d) }}"
    end = "endcache_each" if "cache_each" in start else "endcache"
    fragments = python_calls(f"{start}{body}{{% {end} %}}" * 50)
    blocks = python_calls(f"{{% call m(a) %}}{body}{{% endcall %}}" * 50)
    assert fragments < blocks * times
