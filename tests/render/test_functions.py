"""What compiled templates call is out of reach of the templates' own text."""

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
from jinja2 import (
    DictLoader,
    Environment,
    FileSystemBytecodeCache,
    TemplateRuntimeError,
    TemplateSyntaxError,
)
from jinja2.nativetypes import NativeEnvironment
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedEnvironment

from jinja_fragcache import FragmentCacheExtension
from jinja_fragcache.render.functions import FunctionName
from tests.support import RecordingStore, environment

KINDS = [
    Environment,
    SandboxedEnvironment,
    ImmutableSandboxedEnvironment,
    NativeEnvironment,
]
# Calls functions of all modules.
SOURCE = (
    "{% cache 300, 'x', vary_on='auto' %}{{ n }}{% nocache %}.{% endnocache %}"
    "{% endcache %}{% cache_each a in [1], 300, 'y', a %}{{ a }}{% endcache_each %}"
)
AT_FIRST = {name for name in environment().filters if isinstance(name, FunctionName)}


def load(env: Environment) -> set[FunctionName]:
    """Let an environment have all functions, and return their names."""
    env.parse(SOURCE)
    return {name for name in env.filters if isinstance(name, FunctionName)}


NAMES = sorted(load(environment()))


def texts(name: FunctionName) -> list[str]:
    """Return texts that a template might name a function by."""
    return [str(name), f"fragment_cache {name}", name.replace("_", " "), repr(name)]


def make(kind: type[Environment]) -> tuple[Environment, RecordingStore]:
    store = RecordingStore()
    store.values["any-raw-key"] = "<secret>"
    env = kind(extensions=[FragmentCacheExtension], autoescape=True)
    env.fragment_cache = store  # type: ignore[attr-defined]
    if kind is not NativeEnvironment:
        assert load(env) == {*NAMES}
    return env, store


def test_the_extension_registers_functions() -> None:
    assert "fragment" in map(str, NAMES)
    assert len(NAMES) > 10


def test_functions_that_few_templates_call_come_with_the_first_of_them() -> None:
    env = environment()
    env.parse("{% cache 300, 'x' %}{{ n }}{% endcache %}")
    assert {name for name in env.filters if isinstance(name, FunctionName)} == AT_FIRST
    assert AT_FIRST < load(env) == {*NAMES}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES, ids=str)
@pytest.mark.parametrize(
    "call",
    [
        "['any-raw-key']|map(name, [], [true, none, none], ['', 1, '', []])|join",
        "['any-raw-key']|map(name)|list",
        "['any-raw-key']|select(name)|list",
        "['any-raw-key']|reject(name)|list",
        "[{'a': 'any-raw-key'}]|selectattr('a', name)|list",
        "[{'a': 'any-raw-key'}]|rejectattr('a', name)|list",
    ],
)
def test_no_text_names_a_function(
    kind: type[Environment], name: FunctionName, call: str
) -> None:
    env, store = make(kind)
    for text in texts(name):
        with pytest.raises(TemplateRuntimeError, match=r"No (filter|test) named"):
            env.from_string("{{ " + call + " }}").render(name=text)
    assert store.calls == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES, ids=str)
@pytest.mark.parametrize(
    "source",
    [
        "{{ 'key'|NAME([], [true, none, none], ['', 1, '', []]) }}",
        "{% filter NAME([]) %}key{% endfilter %}",
        "{% set x | NAME %}key{% endset %}",
        "{{ 'key' is NAME }}",
    ],
)
def test_no_tag_names_a_function(
    kind: type[Environment], name: FunctionName, source: str
) -> None:
    env, _ = make(kind)
    for text in texts(name):
        with pytest.raises(TemplateSyntaxError):
            env.from_string(source.replace("NAME", text))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "names", [["fragment"], ["_fragment_cache_functions"], ["_render", "_fill"]]
)
def test_no_global_name_is_a_function(
    kind: type[Environment], names: list[str]
) -> None:
    env, _ = make(kind)
    for name in names:
        assert env.from_string("{{ NAME is defined }}".replace("NAME", name)).render(
            {}
        ) in {"False", False}
    assert set(env.globals) - set(kind().globals) == {"cache_tag"}
    assert set(env.tests) == set(kind().tests)


@pytest.mark.parametrize("kind", [SandboxedEnvironment, ImmutableSandboxedEnvironment])
@pytest.mark.parametrize("enable_async", [False, True])
@pytest.mark.parametrize(
    "expression",
    [
        "caller",
        "caller()",
        "varargs",
        "kwargs",
        "self",
        "missed",
        "filled",
        "fi1",
        "l_0_fi1",
        "environment",
        "context",
        "cache_tag.__globals__",
        "cache_tag.__self__",
        "self._TemplateReference__context",
        "self.__init__.__globals__",
    ],
)
def test_a_body_sees_nothing_of_what_renders_it(
    kind: type[Environment], enable_async: bool, expression: str
) -> None:
    """The expression means the same as without the tags."""
    sources = {
        "fragment": "{% cache 300, 'a' %}{{ X }}{% endcache %}",
        "hole": "{% cache 300, 'b' %}{% nocache %}{{ X }}{% endnocache %}"
        "{% endcache %}",
        "row": "{% cache_each a in [1], 300, 'c', a %}{{ X }}{% endcache_each %}",
    }
    for name, source in sources.items():
        text = source.replace("X", expression)
        cached = outcome(kind, text, enable_async=enable_async)
        plain = text.replace("cache_each a in [1], 300, 'c', a", "for a in [1]")
        plain = plain.replace("endcache_each", "endfor")
        for tag in ("cache 300, 'a'", "cache 300, 'b'", "nocache"):
            plain = plain.replace("{% " + tag + " %}", "")
        plain = plain.replace("{% endcache %}", "").replace("{% endnocache %}", "")
        assert cached == outcome(kind, plain, enable_async=enable_async), name


def outcome(kind: type[Environment], source: str, *, enable_async: bool) -> Any:
    """Return what a template prints, or the type of its error."""
    env = kind(extensions=[FragmentCacheExtension], enable_async=enable_async)
    try:
        text = env.from_string(source).render()
    except Exception as error:  # noqa: BLE001 - the same error is raised without tags
        return type(error)
    return "an object" if " object " in text or text.startswith("<") else text


def test_copies_and_pickles_of_a_name_are_the_name() -> None:
    name = FunctionName("fragment")
    assert FunctionName("fragment") is name
    assert copy.deepcopy(name) is copy.copy(name) is name
    assert pickle.loads(pickle.dumps(name)) is name


def test_a_name_is_equal_to_itself_only() -> None:
    name = FunctionName("fragment")
    assert name == name  # noqa: PLR0124 - this is what is tested
    assert name != "fragment"
    assert not name == "fragment"  # noqa: SIM201 - both operators are tested
    assert "fragment".__eq__(name)  # `str` alone would find them equal
    assert "fragment" not in {name: 1}


def with_bytecode(folder: Path) -> Environment:
    return Environment(
        extensions=[FragmentCacheExtension],
        loader=DictLoader({"p": SOURCE}),
        bytecode_cache=FileSystemBytecodeCache(str(folder)),
        autoescape=True,
    )


def test_a_template_of_a_bytecode_cache_finds_the_functions(tmp_path: Path) -> None:
    pages = [with_bytecode(tmp_path).get_template("p") for _ in range(2)]
    assert [page.render(n=1) for page in pages] == ["1.1", "1.1"]
    assert len(list(tmp_path.iterdir())) == 1


def test_an_overlay_with_filters_of_its_own_finds_the_functions(tmp_path: Path) -> None:
    with_bytecode(tmp_path).get_template("p")
    env = with_bytecode(tmp_path)
    overlay = env.overlay()
    overlay.filters = dict(env.filters)
    for each in (env, overlay):
        assert each.get_template("p").render(n=1) == "1.1"
