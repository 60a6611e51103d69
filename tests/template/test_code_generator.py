"""Whatever writes the code of a fragment, it prints the same."""

from inspect import isawaitable
from pathlib import Path
from typing import Any

import pytest
from jinja2 import BaseLoader, DictLoader, Environment, ModuleLoader, runtime
from jinja2.compiler import CodeGenerator

from jinja_fragcache import (
    FragmentCache,
    FragmentCacheExtension,
    fragment_cache_of,
    make_template_fragment_key,
)
from jinja_fragcache.template.code_generator import FragmentCodeGenerator
from tests.support import Counter, SharedStore


class OtherCodeGenerator(CodeGenerator):
    pass


class OtherEnvironment(Environment):
    code_generator_class = OtherCodeGenerator


PAGES = {
    "text": "{% cache 300, 'k', k %}<{{ n() }}>{% endcache %}",
    "empty text": "{% cache 300, 'k', k %}{{ n() and '' }}{% endcache %}",
    "no cache": "{% cache 300, 'k', k, unless=true %}<{{ n() }}>{% endcache %}",
    "nested": (
        "{% cache 300, 'k', k %}a{% cache 300, 'l', k %}<{{ n() }}>{% endcache %}b"
        "{% endcache %}"
    ),
    "caller in an inner key": (
        "{% macro m() %}{{ caller() }}{% cache 300, 'k', k %}"
        "{% cache 300, 'l', caller() %}{{ n() }}{% endcache %}{% endcache %}"
        "{% endmacro %}{% call m() %}{{ k }}{% endcall %}"
    ),
    "hole": (
        "{% cache 300, 'k', k %}<{{ n() }}{% nocache %}{{ k }}{% endnocache %}>"
        "{% endcache %}"
    ),
    "list": (
        "{% cache_each a in [1, 2], 300, 'k', k, a %}<{{ n() }}>{% endcache_each %}"
    ),
    "empty list": (
        "{% cache_each a in [], 300, 'k', k, a %}<{{ n() }}>{% endcache_each %}"
    ),
    "empty list with holes": (
        "{% cache_each a in [], 300, 'k', k, a %}<{{ n() }}"
        "{% nocache %}{{ a }}{% endnocache %}>{% endcache_each %}"
    ),
    "list with holes": (
        "{% cache_each a in [1, 2], 300, 'k', k, a %}<{{ n() }}"
        "{% nocache %}{{ a }}{% endnocache %}>{% endcache_each %}"
    ),
}


def environments(**options: Any) -> tuple[Environment, Environment]:
    options = {"extensions": [FragmentCacheExtension], "autoescape": True, **options}
    return Environment(**options), OtherEnvironment(**options)


@pytest.mark.parametrize("source", PAGES.values(), ids=PAGES)
@pytest.mark.parametrize("enable_async", [False, True])
def test_another_code_generator_prints_the_same(
    source: str, enable_async: bool
) -> None:
    printed = []
    for env in environments(enable_async=enable_async):
        template, calls = env.from_string(source), Counter()
        pages = [template.render(k=k, n=calls) for k in ("x", "x", "<", "x")]
        printed.append((pages, calls.calls))
    assert printed[0] == printed[1]


def test_another_code_generator_of_a_user_is_kept() -> None:
    ours, other = environments()
    assert ours.code_generator_class is FragmentCodeGenerator
    assert ours.overlay().code_generator_class is FragmentCodeGenerator
    assert other.code_generator_class is OtherCodeGenerator
    assert Environment().code_generator_class is CodeGenerator


class Row:
    """Has what is read in a key: at once, or awaited."""

    def __init__(self, *, awaited: bool) -> None:
        self._awaited = awaited

    @property
    def id(self) -> Any:
        return self._later(7) if self._awaited else 7

    def __getitem__(self, name: str) -> Any:
        return self._later(name) if self._awaited else name

    async def _later(self, value: object) -> object:
        return value


def counted(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return what templates await from now on."""
    values: list[object] = []

    async def counting(value: Any) -> Any:
        values.append(value)
        return await value if isawaitable(value) else value

    monkeypatch.setattr(runtime, "auto_await", counting)
    return values


def test_a_row_of_an_async_list_awaits_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = counted(monkeypatch)
    env, _ = environments(enable_async=True)
    template = env.from_string(
        "{% cache_each n in ns, 300, 'k', n %}{{ n }}{% endcache_each %}"
    )

    def awaited(rows: int) -> int:
        before = len(values)
        assert template.render(ns=[1] * rows) == "1" * rows
        return len(values) - before

    awaited(1)
    assert awaited(1) == awaited(9)


@pytest.mark.parametrize("awaited", [False, True])
def test_in_a_key_attributes_and_items_are_awaited_unless_they_are_texts_or_numbers(
    awaited: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = counted(monkeypatch)
    env, _ = environments(enable_async=True)
    source = "{% cache 300, 'k', row.id, row['a'], [row][0].id %}a{% endcache %}"
    template = env.from_string(source)
    assert template.render(row=Row(awaited=awaited)) == "a"
    key = make_template_fragment_key("k", [7, "a", 7])
    assert fragment_cache_of(env).get(key) == "a"
    awaited_values = [each for each in values if isawaitable(each)]
    assert len(awaited_values) == (3 if awaited else 0)
    assert not {7, "a"} & {each for each in values if isinstance(each, int | str)}


class NotedReads(dict[str, Any]):
    """Notes the names of what is read."""

    def __init__(self, items: dict[str, Any]) -> None:
        super().__init__(items)
        self.read: list[str] = []

    def __getitem__(self, name: str) -> Any:
        self.read.append(str(name))
        return super().__getitem__(name)


@pytest.mark.parametrize("source", PAGES.values(), ids=PAGES)
def test_a_template_finds_what_its_tags_call_when_it_is_loaded(source: str) -> None:
    env, _ = environments()
    source = "{% block b %}" + source + "{{ k|upper }}{% endblock %}"
    env.from_string(source).render(k="x", n=Counter())
    env.filters = filters = NotedReads(env.filters)
    template = env.from_string(source)
    assert filters.read
    filters.read.clear()
    for _ in range(2):
        template.render(k="x", n=Counter())
        assert filters.read == ["upper"]
        filters.read.clear()


class ReadingEnvironment(Environment):
    """Reads the attributes and items of a `Row` in a way of its own."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        return "own" if isinstance(obj, Row) else super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        return "own" if isinstance(obj, Row) else super().getitem(obj, argument)


@pytest.mark.parametrize("enable_async", [False, True])
@pytest.mark.parametrize("is_compiled_first", [False, True])
@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "{{% macro m() %}}{}{{% endmacro %}}{{{{ m() }}}}",
        "{{% block b %}}{}{{% endblock %}}",
        "{{% cache 300, 'j' %}}{}{{% endcache %}}",
    ],
)
def test_what_a_key_reads_the_environment_reads(
    enable_async: bool, is_compiled_first: bool, around: str, tmp_path: Path
) -> None:
    inner = "{% cache 300, 'k', row.id %}a{% endcache %}"
    inner += "{% cache 300, 'k', row['a'], row.id %}b{% endcache %}"
    inner += "{% cache_each r in [row], 300, 'r', r.id %}c{% endcache_each %}"
    loader: BaseLoader = DictLoader({"page": around.format(inner)})
    options: dict[str, Any] = {"enable_async": enable_async, "loader": loader}
    options["extensions"] = [FragmentCacheExtension]
    env = ReadingEnvironment(**options)
    if is_compiled_first:
        env.compile_templates(tmp_path, zip=None)
        env.loader = ModuleLoader(tmp_path)
    assert env.get_template("page").render(row=Row(awaited=False)) == "abc"
    cache = fragment_cache_of(env)
    keys = [("k", ["own"]), ("k", ["own", "own"]), ("r", ["own"])]
    assert [cache.get(make_template_fragment_key(*key)) for key in keys] == [*"abc"]


@pytest.mark.parametrize("awaited", [False, True])
@pytest.mark.parametrize("blocks", [False, True])
def test_a_look_up_awaits_its_only_key_value_itself_unless_it_is_a_text_or_a_number(
    awaited: bool, blocks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    env, _ = environments(enable_async=True)
    env.fragment_cache = cache = FragmentCache(SharedStore() if blocks else None)  # type: ignore[attr-defined]
    assert cache.engine.blocks is blocks
    values: list[object] = []

    async def counting(value: Any) -> Any:
        values.append(value)
        return await value if isawaitable(value) else value

    monkeypatch.setattr(runtime, "auto_await", counting)
    for read in ("row.id", "row['a']", "[row][0].id"):
        source = f"{{% cache 300, 'k', {read} %}}a{{% endcache %}}"
        template = env.from_string(source)
        for _ in range(2):
            assert template.render(row=Row(awaited=awaited)) == "a"
    stats = cache.stats()
    # Two of the reads have the value 7.
    assert (stats.stored, stats.hits) == (2, 4)
    assert cache.get(make_template_fragment_key("k", [7])) == "a"
    assert cache.get(make_template_fragment_key("k", ["a"])) == "a"
    # Only what looks up, while it misses or its store may block.
    assert not {7, "a"} & {each for each in values if isinstance(each, int | str)}
