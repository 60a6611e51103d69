"""What the cache tag does when templates are rendered."""

import asyncio
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from jinja2 import (
    Environment,
    FileSystemBytecodeCache,
    TemplateSyntaxError,
    nodes,
)
from jinja2.ext import Extension
from jinja2.nativetypes import NativeEnvironment
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedEnvironment
from markupsafe import Markup

from jinja_fragcache import (
    FragmentCache,
    FragmentCacheExtension,
    Stats,
    StoreError,
    make_template_fragment_key,
)
from jinja_fragcache.render import each, holes
from jinja_fragcache.render.autoescape import AUTOESCAPE_FUNCTIONS
from jinja_fragcache.render.lookup import FRAGMENT_FUNCTIONS
from jinja_fragcache.render.options import OPTIONS_FUNCTIONS
from jinja_fragcache.render.output import OUTPUT_FUNCTIONS
from tests.support import (
    Clock,
    CoroutineStore,
    Counter,
    RecordingStore,
    environment,
    fragment_cache,
)


class BodyError(Exception):
    pass


def fail() -> None:
    raise BodyError


# The tag alone


def test_the_extension_alone_caches_in_memory() -> None:
    env = Environment(extensions=[FragmentCacheExtension], autoescape=True)
    calls = Counter()
    template = env.from_string("{% cache 300, 'x' %}{{ calls() }}{% endcache %}")
    assert [template.render(calls=calls) for _ in range(3)] == ["1", "1", "1"]
    assert fragment_cache(env).stats() == Stats(hits=2, misses=1, stored=1)


def test_two_environments_share_nothing() -> None:
    source = "{% cache 300, 'x' %}{{ n }}{% endcache %}"
    first, second = environment(), environment()
    assert first.from_string(source).render(n=1) == "1"
    assert second.from_string(source).render(n=2) == "2"


def test_a_fragment_cache_that_was_set_before_is_kept() -> None:
    env = Environment(autoescape=True)
    mine = FragmentCache()
    env.fragment_cache = mine  # type: ignore[attr-defined]
    env.add_extension(FragmentCacheExtension)
    assert fragment_cache(env) is mine


def test_a_stored_text_is_the_plain_html() -> None:
    store = RecordingStore()
    env = environment(store=store)
    env.from_string("{% cache 300, 'x' %}<b>{{ n }}</b>{% endcache %}").render(n="<i>")
    (text,) = store.values.values()
    assert text == "<b>&lt;i&gt;</b>"
    assert type(text) is str
    assert FragmentCache(store).get(make_template_fragment_key("x")) == text


def test_a_text_is_not_escaped_twice() -> None:
    template = environment().from_string("{% cache 300, 'x' %}<b>&amp;{% endcache %}")
    assert [template.render() for _ in range(2)] == ["<b>&amp;"] * 2


def test_a_text_is_not_finalized_twice() -> None:
    template = environment(finalize=lambda value: f"[{value}]").from_string(
        "{% cache 300, 'x' %}{{ n }} text{% endcache %}"
    )
    assert [template.render(n=1) for _ in range(2)] == ["[1] text"] * 2


# The body runs exactly once


@pytest.mark.parametrize("failing", [set(), {"get"}, {"set"}, {"get", "set"}])
def test_the_body_runs_once_per_miss_even_if_the_store_fails(failing: set[str]) -> None:
    store = RecordingStore()
    store.failing = failing
    calls = Counter()
    template = environment(store=store).from_string(
        "{% cache 300, 'x' %}{{ calls() }}{% endcache %}"
    )
    assert template.render(calls=calls) == "1"
    assert calls.calls == 1


@pytest.mark.parametrize("how", ["300", "'del'", "300, unless=true"])
def test_an_error_of_the_body_is_passed_on_and_nothing_is_stored(how: str) -> None:
    store = RecordingStore()
    calls = Counter()
    tag = "{% cache " + how + ", name='x' %}"
    template = environment(store=store).from_string(
        tag + "{{ calls() }}{{ fail() }}{% endcache %}"
    )
    for expected in (1, 2):
        with pytest.raises(BodyError):
            template.render(calls=calls, fail=fail)
        assert calls.calls == expected
    assert "set" not in store.calls


def test_an_empty_text_is_a_value() -> None:
    calls = Counter()
    template = environment().from_string(
        "{% cache 300, 'x' %}{{ '' if calls() }}{% endcache %}"
    )
    assert [template.render(calls=calls) for _ in range(2)] == ["", ""]
    assert calls.calls == 1


# Reads and writes fail open, deletes raise


def test_a_store_that_fails_does_not_take_the_page_down() -> None:
    store = RecordingStore()
    store.failing = {"get", "set"}
    cache = FragmentCache(store)
    template = environment(store=cache).from_string(
        "{% cache 300, 'x' %}{{ n }}{% endcache %}"
    )
    assert [template.render(n=n) for n in "ab"] == ["a", "b"]
    assert cache.stats() == Stats(misses=2, failures=1, skipped=3)


@pytest.mark.parametrize("garbage", [b"bytes", 5, "\x1e{", ["x"], "\x1e{}\n<old>"])
def test_an_entry_that_can_not_be_read_is_a_miss(garbage: Any) -> None:
    store = RecordingStore()
    key = make_template_fragment_key("x")
    store.values[key] = garbage
    template = environment(store=store).from_string(
        "{% cache 300, 'x' %}new{% endcache %}"
    )
    assert template.render() == "new"
    assert store.values[key] == "new"


def test_del_deletes_renders_and_stores_nothing() -> None:
    store = RecordingStore()
    env = environment(store=store)
    cached = env.from_string("{% cache 300, 'x' %}{{ n }}{% endcache %}")
    deleting = env.from_string("{% cache how, 'x' %}{{ n }}{% endcache %}")
    assert cached.render(n=1) == "1"
    assert deleting.render(n=2, how="del") == "2"
    assert store.values == {}
    assert cached.render(n=3) == "3"


def test_del_raises_if_the_store_fails() -> None:
    store = RecordingStore()
    store.failing = {"delete"}
    template = environment(store=store).from_string(
        "{% cache 'del', 'x' %}{{ n }}{% endcache %}"
    )
    with pytest.raises(StoreError, match="could not delete"):
        template.render()


# Blocks


LAYOUT = {
    "layout": "<{% cache 300, 'main', lang %}{% block main %}-{% endblock %}"
    "{% endcache %}>",
    "one": "{% extends 'layout' %}{% block main %}one {{ n }}{% endblock %}",
    "two": "{% extends 'layout' %}{% block main %}two {{ n }}{% endblock %}",
    "self": "<{% cache 300, 's' %}{{ self.main() }}{% endcache %}>"
    "{% block main %}{% endblock %}",
    "three": "{% extends 'self' %}{% block main %}three{% endblock %}",
    "four": "{% extends 'self' %}{% block main %}four{% endblock %}",
}


def test_a_fragment_with_a_block_differs_from_page_to_page() -> None:
    env = environment(LAYOUT)
    for n, name, text in [
        (1, "one", "<one 1>"),
        (2, "two", "<two 2>"),
        (3, "one", "<one 1>"),
        (4, "layout", "<->"),
    ]:
        assert env.get_template(name).render(n=n, lang="en") == text


def test_a_fragment_that_calls_a_block_differs_from_page_to_page() -> None:
    env = environment(LAYOUT)
    assert env.get_template("three").render() == "<three>three"
    assert env.get_template("four").render() == "<four>four"


def test_the_last_key_value_of_a_fragment_with_a_block_is_its_page() -> None:
    env = environment(LAYOUT)
    env.get_template("one").render(n=1, lang="en")
    env.get_template("two").render(n=1, lang="en")
    fragment_cache(env).delete_fragment("main", ["en", "one"])
    assert env.get_template("one").render(n=2, lang="en") == "<one 2>"
    assert env.get_template("two").render(n=2, lang="en") == "<two 1>"


def test_a_page_that_changes_its_layout_shows_the_block_of_the_new_one() -> None:
    block = "{% block nav %}"
    env = environment(
        {
            "root": "{% cache 300, 'nav' %}"
            + block
            + "root{% endblock %}{% endcache %}",
            "wide": "{% extends 'root' %}" + block + "WIDE{% endblock %}",
            "small": "{% extends 'root' %}" + block + "SMALL{% endblock %}",
            "page": "{% extends layout %}",
        }
    )
    page = env.get_template("page")
    texts = [page.render(layout=layout) for layout in ("wide", "small", "wide", "root")]
    assert texts == ["WIDE", "SMALL", "WIDE", "root"]


def test_a_page_that_changes_its_layout_shows_the_super_block_of_the_new_one() -> None:
    own = "{% cache 300, 'x' %}{{ super() }}{% endcache %}"
    env = environment(
        {
            "a": "A{% block b %}a{% endblock %}",
            "b": "B{% block b %}b{% endblock %}",
            "page": "{% extends layout %}{% block b %}" + own + "{% endblock %}",
        }
    )
    page = env.get_template("page")
    assert [page.render(layout=layout) for layout in "abab"] == ["Aa", "Bb"] * 2


@pytest.mark.parametrize("name", ["", "300, 'main'"])
def test_an_edited_page_never_serves_its_old_block(name: str) -> None:
    main = "{% block main %}-{% endblock %}"
    templates = {"layout": "{% cache " + name + " %}" + main + "{% endcache %}"}
    store = RecordingStore()
    for text in ("old", "new", "old"):
        block = (
            "{% block main %}{% for a in 'x' %}" + text + "{% endfor %}{% endblock %}"
        )
        templates["page"] = "{% extends 'layout' %}" + block
        env = environment(templates, store)
        assert [env.get_template("page").render() for _ in range(2)] == [text] * 2
    assert store.calls.count("set") == 3


# Inheritance


@pytest.mark.parametrize(
    "outside",
    [
        "{% cache 5, 'o' %}no{{ fail() }}{% endcache %}",
        "{% cache %}no{% cache %}{{ fail() }}{% endcache %}{% endcache %}",
        "{% if true %}{% cache %}{{ fail() }}{% endcache %}{% endif %}",
        "{% for a in 'ab' %}{% cache %}{{ fail() }}{% endcache %}{% endfor %}",
        "{% cache 'del', 'o' %}{{ fail() }}{% endcache %}",
        "{% cache wrong, 'o' %}{{ fail() }}{% endcache %}",
    ],
)
@pytest.mark.parametrize(
    "extends", ["{% extends 'base' %}", "{% if yes %}{% extends 'base' %}{% endif %}"]
)
@pytest.mark.parametrize("enable_async", [False, True])
def test_a_fragment_outside_of_blocks_in_a_child_template_prints_nothing(
    outside: str,
    extends: str,
    enable_async: bool,
) -> None:
    store = RecordingStore()
    child = extends + outside + "{% block b %}{% cache 5, 'b' %}in{% endcache %}"
    templates = {"base": "[{% block b %}{% endblock %}]", "c": child + "{% endblock %}"}
    env = environment(templates, store, enable_async=enable_async)
    assert env.get_template("c").render(yes=True, fail=fail) == "[in]"
    assert store.calls == ["get", "set"]


def test_a_fragment_prints_if_a_conditional_extends_is_not_taken() -> None:
    source = (
        "{% if yes %}{% extends 'b' %}{% endif %}{% cache 5, 'x' %}own{% endcache %}"
    )
    template = environment({"b": "base", "c": source}).get_template("c")
    # Nothing empty is printed either.
    assert list(template.generate(yes=False)) == ["own"]
    assert list(template.generate(yes=True)) == ["base"]
    assert list(template.generate(yes=False)) == ["own"]


def test_a_fragment_in_a_macro_of_a_child_template_is_cached() -> None:
    source = (
        "{% extends 'b' %}{% macro m() %}{% cache 5, 'm' %}{{ n }}{% endcache %}"
        "{% endmacro %}{% block b %}{{ m() }}{% endblock %}"
    )
    env = environment({"b": "[{% block b %}{% endblock %}]", "c": source})
    assert [env.get_template("c").render(n=n) for n in "xy"] == ["[x]", "[x]"]


# Async


def async_environment(store: Any) -> Environment:
    fragment = "{% cache 5, 'x', a %}{{ calls() }}{% endcache %}"
    source = "{% for a in 'ab' %}" + fragment + "{% endfor %}"
    return environment({"page": source}, store, enable_async=True)


@pytest.mark.parametrize("make", [RecordingStore, CoroutineStore, FragmentCache])
def test_fragments_are_cached_in_async_rendering(make: Callable[[], Any]) -> None:
    template = async_environment(make()).get_template("page")
    calls = Counter()

    async def use() -> list[str]:
        pieces = [piece async for piece in template.generate_async(calls=calls)]
        return [
            "".join(pieces),
            await template.render_async(calls=calls),
            await template.render_async(calls=calls),
        ]

    assert asyncio.run(use()) == ["12", "12", "12"]
    assert calls.calls == 2
    assert template.render(calls=calls) == "12"


def test_a_body_awaits_the_coroutine_functions_that_it_calls() -> None:
    async def slow() -> str:
        await asyncio.sleep(0)
        return "<done>"

    env = environment(enable_async=True)
    template = env.from_string("{% cache 5, 'x', slow() %}{{ slow() }}{% endcache %}")
    for _ in range(2):
        assert asyncio.run(template.render_async(slow=slow)) == "&lt;done&gt;"
    fragment_cache(env).delete_fragment("x", ["<done>"])
    assert fragment_cache(env).stats() == Stats(hits=1, misses=1, stored=1, deleted=1)


def test_a_store_that_may_block_is_not_called_on_the_event_loop() -> None:
    threads = set()

    class Noting(RecordingStore):
        def _note(self, call: str) -> None:
            super()._note(call)
            threads.add(threading.get_ident())

    template = async_environment(Noting()).get_template("page")
    asyncio.run(template.render_async(calls=Counter()))
    assert threads
    assert threading.get_ident() not in threads


def test_other_tasks_run_while_the_store_is_awaited() -> None:
    async def use() -> str:
        entered = asyncio.Event()
        go_on = asyncio.Event()

        class Waiting(CoroutineStore):
            async def get(self, key: str) -> Any:
                entered.set()
                await go_on.wait()
                return await super().get(key)

        template = async_environment(Waiting()).get_template("page")
        rendering = asyncio.create_task(template.render_async(calls=Counter()))
        await entered.wait()
        go_on.set()
        return await rendering

    assert asyncio.run(use()) == "12"


@pytest.mark.parametrize("make", [RecordingStore, CoroutineStore, FragmentCache])
def test_an_error_of_an_async_body_is_passed_on(make: Callable[[], Any]) -> None:
    store = make()
    env = environment(store=store, enable_async=True)
    template = env.from_string("{% cache 5, 'x' %}{{ fail() }}{% endcache %}")
    with pytest.raises(BodyError):
        asyncio.run(template.render_async(fail=fail))


def test_a_cancelled_rendering_stores_nothing() -> None:
    store = RecordingStore()
    env = environment(store=store, enable_async=True)
    template = env.from_string("{% cache 5, 'x' %}{{ wait() }}{% endcache %}")

    async def use() -> None:
        entered = asyncio.Event()

        async def wait() -> None:
            entered.set()
            await asyncio.Event().wait()

        rendering = asyncio.create_task(template.render_async(wait=wait))
        await entered.wait()
        rendering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await rendering

    asyncio.run(use())
    assert store.calls == ["get"]


def test_a_store_of_coroutines_needs_an_async_environment() -> None:
    env = environment(store=CoroutineStore())
    with pytest.raises(StoreError, match="enable_async=True"):
        env.from_string("{% cache 5, 'x' %}a{% endcache %}").render()


# Past the timeout


class Aging:
    """A cache with a clock that is set by hand, and a page whose body may fail."""

    def __init__(self, source: str, *, store: Any = None, **options: Any) -> None:
        self.clock = Clock()
        self.store = RecordingStore() if store is None else store
        self.cache = FragmentCache(self.store, clock=self.clock)
        self.calls = Counter()
        self.is_failing = False
        templates = options.pop("templates", {})
        env = environment({**templates, "page": source}, self.cache, **options)
        self.template = env.get_template("page")

    def call(self) -> str:
        number = self.calls()
        if self.is_failing:
            raise BodyError
        return f"<{number}>"

    def render(self, **more: Any) -> str:
        return self.template.render(call=self.call, **more)


@pytest.mark.parametrize("make", [RecordingStore, CoroutineStore])
@pytest.mark.parametrize("enable_async", [False, True])
@pytest.mark.parametrize("how", ["60", "window"])
@pytest.mark.parametrize("name", ["", "'x', a, "])
def test_a_stale_text_is_served_while_another_thread_renders(
    make: Callable[[], Any],
    enable_async: bool,
    how: str,
    name: str,
) -> None:
    if make is CoroutineStore and not enable_async:
        return
    source = "{% cache 5, " + name + "stale=" + how + " %}{{ call() }}{% endcache %}"
    aging = Aging(source, store=make(), enable_async=enable_async, autoescape=False)
    assert aging.render(window=60, a=1) == "<1>"
    aging.clock.now += 64.9
    entered, go_on = threading.Event(), threading.Event()

    def slow() -> str:
        entered.set()
        assert go_on.wait(10)
        return aging.call()

    with ThreadPoolExecutor(1) as pool:
        renewal = pool.submit(aging.template.render, call=slow, window=60, a=1)
        assert entered.wait(10)
        assert [aging.render(window=60, a=1) for _ in range(2)] == ["<1>", "<1>"]
        go_on.set()
        assert renewal.result() == "<2>"
    assert aging.render(window=60, a=1) == "<2>"
    assert aging.cache.stats() == Stats(hits=3, misses=2, stored=2, stale=2)


def test_a_stale_text_is_served_while_another_task_renders() -> None:
    source = "{% cache 5, 'x', stale=60 %}{{ call() }}{% endcache %}"
    aging = Aging(source, store=CoroutineStore(), enable_async=True)

    async def use() -> list[str]:
        entered, go_on = asyncio.Event(), asyncio.Event()

        async def slow() -> str:
            entered.set()
            await go_on.wait()
            return aging.call()

        render = aging.template.render_async
        texts = [await render(call=aging.call)]
        aging.clock.now += 5
        renewal = asyncio.create_task(render(call=slow))
        await entered.wait()
        texts.append(await render(call=aging.call))
        go_on.set()
        return [*texts, await renewal, await render(call=aging.call)]

    assert asyncio.run(use()) == ["&lt;1&gt;", "&lt;1&gt;", "&lt;2&gt;", "&lt;2&gt;"]


@pytest.mark.parametrize("enable_async", [False, True])
@pytest.mark.parametrize("autoescape", [False, True])
def test_in_a_loop_each_fragment_that_fails_is_served_its_last_good_text(
    enable_async: bool,
    autoescape: bool,
) -> None:
    tag = "{% cache 5, vary_on=[i], stale_if_error=60 if i else 1 %}"
    source = "{% for i in n %}" + tag + "a{{ call() }}{% endcache %}{% endfor %}"
    aging = Aging(source, enable_async=enable_async, autoescape=autoescape)
    first = aging.render(n=range(3))
    assert first == ("a&lt;1&gt;a&lt;2&gt;a&lt;3&gt;" if autoescape else "a<1>a<2>a<3>")
    aging.clock.now += 6
    aging.is_failing = True
    length = len(first) // 3
    assert aging.render(n=[1, 2]) == first[length:]
    with pytest.raises(BodyError):
        aging.render(n=[0])


def test_nothing_of_a_body_that_failed_is_printed() -> None:
    inner = "{% cache 5, 'i' %}inner{% endcache %}"
    source = "[{% cache 5, 'o', stale_if_error=60 %}b" + inner + "{{ call() }}"
    aging = Aging(source + "{% set a = call() %}{% endcache %}]{{ a }}")
    assert aging.render() == "[binner&lt;1&gt;]"
    aging.clock.now += 5
    aging.is_failing = True
    assert aging.render() == "[binner&lt;1&gt;]"
    assert "".join(aging.template.generate(call=aging.call)) == "[binner&lt;1&gt;]"


def test_unless_renders_past_the_timeout_and_on_errors_as_well() -> None:
    tag = "{% cache 5, 'x', stale=60, stale_if_error=60, unless=u %}"
    aging = Aging(tag + "{{ call() }}{% endcache %}")
    aging.render(u=False)
    aging.clock.now += 5
    assert aging.render(u=True) == "&lt;2&gt;"
    aging.is_failing = True
    with pytest.raises(BodyError):
        aging.render(u=True)
    assert aging.render(u=False) == "&lt;1&gt;"


def test_an_entry_that_del_deletes_is_not_served_on_errors() -> None:
    tag = "{% cache t, 'x', stale=60, stale_if_error=60 %}"
    aging = Aging(tag + "{{ call() }}{% endcache %}")
    aging.render(t=5)
    aging.clock.now += 5
    aging.is_failing = True
    for timeout in ("del", 5):
        with pytest.raises(BodyError):
            aging.render(t=timeout)


def test_a_stale_text_is_never_served_under_another_autoescape_state() -> None:
    tag = "{% cache 5, 'x', stale=60, stale_if_error=60 %}{{ call() }}{% endcache %}"
    aging = Aging("{% autoescape how %}" + tag + "{% endautoescape %}")
    assert aging.render(how=False) == "<1>"
    aging.clock.now += 5
    aging.is_failing = True
    with pytest.raises(BodyError):
        aging.render(how=True)
    assert aging.render(how=False) == "<1>"


@pytest.mark.parametrize("name", ["", "'x', "])
def test_a_stale_text_is_served_only_for_the_same_page_and_its_blocks(
    name: str,
) -> None:
    tag = "{% cache 5, " + name + "stale_if_error=60 %}"
    templates = {
        "wide": tag + "wide {% block b %}{% endblock %}{% endcache %}",
        "slim": tag + "slim {% block b %}{% endblock %}{% endcache %}",
        "other": "{% extends layout %}{% block b %}{{ call() }}{% endblock %}",
    }
    aging = Aging(templates["other"], templates=templates, autoescape=False)
    other = aging.template.environment.get_template("other")
    assert aging.render(layout="wide") == "wide <1>"
    aging.clock.now += 5
    aging.is_failing = True
    assert aging.render(layout="wide") == "wide <1>"
    with pytest.raises(BodyError):
        other.render(layout="wide", call=aging.call)
    if not name:
        with pytest.raises(BodyError):
            aging.render(layout="slim")


def test_an_edited_template_does_not_serve_its_old_text_on_errors() -> None:
    tag = "{% cache 5, stale=60, stale_if_error=60 %}"
    aging = Aging(tag + "old{% endcache %}")
    assert aging.render() == "old"
    aging.clock.now += 5
    templates = {"page": tag + "new{{ call() }}{% endcache %}"}
    edited = environment(templates, aging.cache).get_template("page")
    with pytest.raises(BodyError):
        edited.render(call=fail)


# Environments of other kinds


def test_an_overlay_shares_the_cache_of_its_environment() -> None:
    env = environment({"t": "<< cache 5, 'x' >>{{ n }}<< endcache >>"})
    overlay = env.overlay(block_start_string="<<", block_end_string=">>")
    assert overlay.get_template("t").render(n=1) == "1"
    source = "{% cache 5, 'x' %}{{ n }}{% endcache %}"
    assert env.from_string(source).render(n=2) == "1"


def test_an_overlay_may_have_a_cache_of_its_own_and_be_async() -> None:
    env = environment({"t": "{% cache 5, 'x' %}{{ n }}{% endcache %}"})
    overlay = env.overlay(enable_async=True)
    overlay.fragment_cache = FragmentCache(CoroutineStore())  # type: ignore[attr-defined]
    assert env.get_template("t").render(n=1) == "1"
    assert overlay.get_template("t").render(n=2) == "2"
    assert overlay.get_template("t").render(n=3) == "2"


def test_an_overlay_may_add_the_extension() -> None:
    plain = Environment(autoescape=True)
    overlay = plain.overlay(extensions=[FragmentCacheExtension])
    assert overlay.from_string("{% cache %}a{% endcache %}").render() == "a"
    assert not hasattr(plain, "fragment_cache")


@pytest.mark.parametrize("kind", [SandboxedEnvironment, ImmutableSandboxedEnvironment])
@pytest.mark.parametrize("enable_async", [False, True])
def test_fragments_are_cached_in_a_sandbox(
    kind: type[Environment],
    enable_async: bool,
) -> None:
    env = kind(
        extensions=[FragmentCacheExtension], autoescape=True, enable_async=enable_async
    )
    fragment = "{% cache 5, 'x', a %}{{ a }}{{ n }}{% endcache %}"
    source = "{% for a in 'ab' %}" + fragment + "{% endfor %}"
    template = env.from_string(source)
    assert [template.render(n=n) for n in (1, 2)] == ["a1b1", "a1b1"]


def test_compiled_templates_may_come_from_a_bytecode_cache(tmp_path: Path) -> None:
    store = RecordingStore()
    calls = Counter()
    source = (
        "{% cache stale=60 %}{{ calls() }}{% endcache %}"
        "{% cache 5, 'x', 1, stale_if_error=1.5, unless=0 %}b{% endcache %}"
    )
    for _ in range(2):
        env = environment(
            {"p": source},
            store,
            bytecode_cache=FileSystemBytecodeCache(str(tmp_path)),
        )
        assert env.get_template("p").render(calls=calls) == "1b"
    assert len(list(tmp_path.iterdir())) == 1
    assert store.calls == ["get", "set", "get", "set", "get", "get"]


@pytest.mark.parametrize("enable_async", [False, True])
def test_a_native_environment_is_refused(
    enable_async: bool,
) -> None:
    env = NativeEnvironment(
        extensions=[FragmentCacheExtension], enable_async=enable_async
    )
    with pytest.raises(TemplateSyntaxError, match="renders Python values") as raised:
        env.from_string("\n{% cache %}\n\n[1]{% endcache %}")
    assert raised.value.lineno == 2


def test_translations_in_a_fragment_are_found() -> None:
    env = environment(extensions=["jinja2.ext.i18n"])
    source = "{% cache %}\n{% trans %}Hello{% endtrans %}{{ _('you') }}{% endcache %}"
    found = env.extract_translations(source)  # type: ignore[attr-defined]
    assert [text for _, _, text in found] == ["Hello", "you"]


def test_an_error_in_a_body_names_the_line_of_the_template() -> None:
    env = environment({"p": "\n{% cache 5, 'x' %}\n\n{{ fail() }}{% endcache %}"})
    with pytest.raises(BodyError) as raised:
        env.get_template("p").render(fail=fail)
    frames = traceback.extract_tb(raised.value.__traceback__)
    assert ("<template>", 4) in [(frame.filename, frame.lineno) for frame in frames]
    ours = [frame for frame in frames if "jinja_fragcache/" in frame.filename]
    # It calls `Template.render`, and comes before the template.
    assert [frame.name for frame in ours] == ["render"]


@pytest.mark.parametrize(
    "tag",
    [
        "{% cache 5, fail() %}{% endcache %}",
        "{% cache 5, 'x', unless=fail() %}{% endcache %}",
        "{% cache_each a in fail(), 5, 'x', a %}{% endcache_each %}",
        "{% cache_each a in [1] if fail(), 5, 'x', a %}{% endcache_each %}",
        "{% cache_each a in [1], 5, 'x', fail() %}{% endcache_each %}",
        "{% cache_each a in [1], 5, 'x', a, unless=fail() %}{% endcache_each %}",
        "{% cache_each a, b in [1], 5, 'x', a %}{% endcache_each %}",
        "{% cache 5, 'x' %}{% nocache %}{{ fail() }}{% endnocache %}{% endcache %}",
    ],
)
def test_an_error_in_a_tag_names_its_line(tag: str) -> None:
    env = environment({"p": f"{{{{ 1 }}}}\n\n{tag}\n\n{{{{ 2 }}}}"})
    with pytest.raises((BodyError, TypeError)) as raised:
        env.get_template("p").render(fail=fail)
    frames = traceback.extract_tb(raised.value.__traceback__)
    lines = [each.lineno for each in frames if each.filename == "<template>"]
    assert lines[-1] == 3


# What hits and misses cost


class CountingContext(Context):
    calls = 0

    def call(self, *args: Any, **kwargs: Any) -> Any:
        type(self).calls += 1
        return super().call(*args, **kwargs)


@pytest.mark.parametrize(
    "arguments",
    ["300, 'x'", "300", "300, 'x', n", "t, 'x', unless=no", "t, stale=5, unless=no"],
)
def test_no_look_up_creates_a_macro_or_makes_a_context_call(arguments: str) -> None:
    env = environment(store=RecordingStore())
    env.context_class = CountingContext
    source = "{% cache " + arguments + " %}{{ n }}{% endcache %}"
    template = env.from_string(source)
    macros = Counter()
    real = template.root_render_func.__globals__["Macro"]

    def counting(*args: Any) -> Any:
        macros()
        return real(*args)

    template.root_render_func.__globals__["Macro"] = counting
    CountingContext.calls = 0
    for _ in range(2):
        assert template.render(n=1, t=5, no=0) == "1"
        assert (macros.calls, CountingContext.calls) == (0, 0)


class Overlaying(Extension):
    tags = {"made"}  # noqa: RUF012 - this is how Jinja declares it

    def parse(self, parser: Parser) -> nodes.Node:
        next(parser.stream)
        body = parser.parse_statements(("name:endmade",), drop_needle=True)
        return nodes.OverlayScope(nodes.Dict([]), body)


def test_compiled_tags_use_every_filter_that_is_registered() -> None:
    source = (
        "{% extends 'x' %}{% made %}{% cache %}{% endcache %}{% endmade %}"
        "{% cache %}{% made %}{% endmade %}{% endcache %}"
        "{% cache %}{% include 'y' without context %}{% endcache %}"
        "{% cache a %}{% endcache %}{% cache 5, 'a' %}{% endcache %}"
        "{% cache 5, 'a', b %}{% endcache %}{% cache 5, 'a', b, c %}{% endcache %}"
        "{% cache a %}{% for b in c %}{% nocache %}{% include d %}{% endnocache %}"
        "{% endfor %}{% endcache %}"
        "{% cache 5, 'a', vary_on=b %}{% endcache %}{% cache tags=b %}{% endcache %}"
        "{% cache 5, 'a', tags=['b'] %}{% endcache %}"
        "{% cache %}{% cache a %}{% nocache %}{% endnocache %}{% endcache %}"
        "{% endcache %}{% nocache %}{% endnocache %}"
        "{% cache_each a in b, 5, 'a', a %}{% endcache_each %}"
        "{% cache_each a in b, 5, 'a', a, b %}{% endcache_each %}"
        "{% cache_each a in b, c, 'a', a %}{% endcache_each %}"
    )
    ast = environment(extensions=[Overlaying]).parse(source)
    used = {node.name for node in ast.find_all(nodes.Filter)}
    assert used == {
        *FRAGMENT_FUNCTIONS,
        *OPTIONS_FUNCTIONS,
        *each.FUNCTIONS,
        *holes.FUNCTIONS,
        *OUTPUT_FUNCTIONS,
        *AUTOESCAPE_FUNCTIONS,
    }


def test_the_pieces_of_a_streamed_page_are_strings() -> None:
    env = environment()
    template = env.from_string("a{% cache 5, 'x' %}b{{ n }}{% endcache %}c")
    for _ in range(2):
        assert "".join(template.generate(n=Markup("<"))) == "ab<c"
        assert "".join(template.stream(n=Markup("<"))) == "ab<c"
