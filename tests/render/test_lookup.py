import asyncio
from datetime import timedelta
from typing import Any

import pytest
from jinja2 import Environment, StrictUndefined, Undefined

from jinja_fragcache import (
    FragmentCache,
    FragmentTagError,
    MemoryStore,
)
from tests.support import (
    Clock,
    Counter,
    RecordingStore,
    environment,
    files_of_calls,
    fragment_cache,
)


@pytest.mark.parametrize("timeout", ["300", -1, True, object(), float("nan"), "DEL"])
def test_a_wrong_timeout_is_an_error_that_names_the_place(timeout: Any) -> None:
    env = environment({"page": "\n{% cache t, 'x' %}text{% endcache %}"})
    with pytest.raises(
        FragmentTagError, match=r"page, line 2: .*number of seconds.*'del' deletes"
    ):
        env.get_template("page").render(t=timeout)


def test_an_undefined_timeout_is_an_error() -> None:
    env = environment({"page": "{% cache t, 'x' %}text{% endcache %}"})
    with pytest.raises(FragmentTagError, match="page, line 1"):
        env.get_template("page").render()


@pytest.mark.parametrize("name", ["stale", "stale_if_error"])
@pytest.mark.parametrize(
    "window",
    ["60", -1, True, object(), [1], float("nan"), Undefined(name="far")],
)
def test_a_wrong_grace_period_is_an_error_that_names_the_place(
    name: str, window: Any
) -> None:
    store = RecordingStore()
    source = "\n{% cache 5, 'x', " + name + "=w %}text{% endcache %}"
    env = environment({"page": source}, store, undefined=StrictUndefined)
    told = f"^page, line 2: {name} can't be .*It is a number of seconds from 0"
    with pytest.raises(FragmentTagError, match=told):
        env.get_template("page").render(w=window)
    assert store.calls == []


def test_an_undefined_grace_period_is_named_in_the_error() -> None:
    template = environment().from_string("{% cache 5, stale=far %}a{% endcache %}")
    with pytest.raises(
        FragmentTagError, match=r"stale can't be undefined \(.*'far' is undefined"
    ):
        template.render()


def test_del_does_not_check_the_grace_periods() -> None:
    store = RecordingStore()
    source = "{% cache how, 'x', stale=w, stale_if_error=w %}{{ n }}{% endcache %}"
    template = environment(store=store).from_string(source)
    template.render(how=5, w=60, n=1)
    assert template.render(how="del", w="wrong", n=2) == "2"
    assert store.values == {}


@pytest.mark.parametrize(
    ("timeout", "stored"), [(timedelta(minutes=1), 60), (0.1, 1), (None, None), (0, 0)]
)
def test_a_timeout_may_be_an_expression(timeout: Any, stored: int | None) -> None:
    store = RecordingStore()
    template = environment(store=store).from_string("{% cache t, 'x' %}{% endcache %}")
    template.render(t=timeout)
    assert list(store.timeouts.values()) == [stored]


@pytest.mark.parametrize("unless", [True, 1, "yes"])
def test_a_true_unless_does_not_call_the_store(unless: Any) -> None:
    store = RecordingStore()
    env = environment(store=FragmentCache(store, strict=True))
    source = "{% cache 5, 'x', nowhere, unless=u %}{{ n }}{% endcache %}"
    template = env.from_string(source)
    assert [template.render(u=unless, n=n) for n in "ab"] == ["a", "b"]
    assert store.calls == []
    assert fragment_cache(env).stats().uncached == 2


@pytest.mark.parametrize("unless", [False, None, 0, ""])
def test_a_false_unless_changes_nothing(unless: Any) -> None:
    env = environment(store=RecordingStore())
    template = env.from_string("{% cache 5, 'x', unless=u %}{{ n }}{% endcache %}")
    assert [template.render(u=unless, n=n) for n in "ab"] == ["a", "a"]


def test_if_unless_is_true_no_other_argument_is_evaluated() -> None:
    source = (
        "{% cache user.timeout, user.name, user.id, unless=not user,"
        " stale=user.stale, stale_if_error=user.stale.if_error %}a{% endcache %}"
    )
    strict = environment(undefined=StrictUndefined)
    assert strict.from_string(source).render(user=None) == "a"


def test_unless_is_evaluated_once() -> None:
    calls = Counter()
    source = "{% cache a, b, c, unless=calls() > 1 %}a{% endcache %}"
    template = environment().from_string(source)
    assert template.render(calls=calls, a=1, b="b", c="c") == "a"
    assert calls.calls == 1


REFUSED = [
    "{% cache 5, 'x', nowhere %}{{ n }}{% endcache %}",
    "{% cache 5, 'x', user %}{{ n }}{% endcache %}",
    "{% cache 5, nowhere %}{{ n }}{% endcache %}",
    "{% cache 5, 'x', vary_on=nowhere %}{{ n }}{% endcache %}",
    "{% cache 5, 'x', vary_on=n %}{{ n }}{% endcache %}",
    "{% cache 'del', 'x', nowhere %}{{ n }}{% endcache %}",
]


@pytest.mark.parametrize("source", REFUSED)
def test_a_refused_key_renders_uncached_with_one_warning(
    source: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = RecordingStore()
    env = environment(store=FragmentCache(store))
    template = env.from_string(source)
    assert [template.render(n=n, user=object()) for n in "abc"] == ["a", "b", "c"]
    assert store.calls == []
    assert len(caplog.records) == 1
    assert "line 1: the fragment is not cached." in caplog.text


@pytest.mark.parametrize("source", REFUSED)
def test_a_refused_key_is_an_error_in_a_strict_cache(source: str) -> None:
    env = environment(store=FragmentCache(RecordingStore(), strict=True))
    with pytest.raises(FragmentTagError, match="line 1: the fragment is not cached"):
        env.from_string(source).render(n="a", user=object())


def test_an_undefined_key_value_is_refused_with_strict_undefined() -> None:
    env = environment(store=FragmentCache(strict=True), undefined=StrictUndefined)
    template = env.from_string("{% cache 5, 'x', nowhere %}a{% endcache %}")
    with pytest.raises(FragmentTagError, match="undefined: 'nowhere'"):
        template.render()


class Cart:
    """Its key is that of the first expensive item, or StopIteration."""

    def __init__(self, *items: int) -> None:
        self.items = items

    def __cache_key__(self) -> int:
        return next(item for item in self.items if item > 100)


def test_a_key_value_that_raises_is_not_left_out_of_the_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    template = environment().from_string(
        "{% cache 300, 'cart', cart, user %}Hello {{ user }}{% endcache %}"
    )
    texts = [template.render(cart=Cart(1), user=user) for user in ("alice", "bob")]
    assert texts == ["Hello alice", "Hello bob"]
    (record,) = caplog.records
    assert "It raised StopIteration. Its class is Cart" in record.getMessage()


def test_a_key_value_that_raises_is_an_error_of_a_strict_cache() -> None:
    env = environment(store=FragmentCache(strict=True))
    template = env.from_string("{% cache 300, 'cart', cart %}a{% endcache %}")
    assert template.render(cart=Cart(1, 101)) == "a"
    with pytest.raises(FragmentTagError, match="It raised StopIteration"):
        template.render(cart=Cart(1))


def test_a_key_value_that_contains_itself_does_not_break_the_page() -> None:
    class Itself:
        def __cache_key__(self) -> Any:
            return self

    template = environment().from_string("{% cache 5, 'x', b %}a{% endcache %}")
    assert template.render(b=Itself()) == "a"


def test_the_log_shows_no_key_value(caplog: pytest.LogCaptureFixture) -> None:
    class Person:
        def __repr__(self) -> str:
            return "<Person ann@example.com\nroot logged in ...>"

    class Broken:
        def __cache_key__(self) -> str:
            raise LookupError("no row of ann@example.com\nroot logged in")

    for value in (Person(), Broken(), [Person()]):
        env = environment()
        template = env.from_string("{% cache 5, 'x', value %}a{% endcache %}")
        assert template.render(value=value) == "a"
    name = environment().from_string("{% cache 5, [email] %}a{% endcache %}")
    assert name.render(email="ann@example.com") == "a"
    assert len(caplog.records) == 4
    for record in caplog.records:
        assert "line 1: the fragment is not cached" in record.getMessage()
        assert "ann@example.com" not in record.getMessage()
        assert record.getMessage().isprintable()


def test_an_entry_expires_by_the_clock_of_the_store() -> None:
    clock = Clock()
    env = environment(store=MemoryStore(timer=clock))
    template = env.from_string("{% cache 5, 'x' %}{{ n }}{% endcache %}")
    assert template.render(n="a") == "a"
    clock.now += 4.9
    assert template.render(n="b") == "a"
    clock.now += 0.1
    assert template.render(n="c") == "c"


def test_an_environment_of_jinja_takes_the_extension_by_its_import_name() -> None:
    env = Environment(extensions=["jinja_fragcache.FragmentCacheExtension"])
    assert env.from_string("{% cache %}a{% endcache %}").render() == "a"
    assert fragment_cache(env).stats().stored == 1


@pytest.mark.parametrize(
    "arguments", ["'a'", "'a', value"], ids=["constant", "one key value"]
)
def test_a_hit_calls_three_functions(arguments: str) -> None:
    """Each of them is measurable on a page with many hits."""
    source = f"{{% cache 300, {arguments} %}}<p>text</p>{{% endcache %}}"
    template = environment().from_string(source)
    template.render(value=7)
    context = template.new_context({"value": 7})
    with files_of_calls() as called:
        assert "".join(template.root_render_func(context)) == "<p>text</p>"
    package = "/jinja_fragcache/"
    ours = [file.rpartition(package)[2] for file in called if package in file]
    assert ours == ["render/lookup.py", "engine/engine.py", "stores/memory.py"]


def test_a_hit_in_memory_calls_no_coroutine_in_an_async_template() -> None:
    source = "{% cache 300, 'a', value %}<p>text</p>{% endcache %}"
    template = environment(enable_async=True).from_string(source)
    asyncio.run(template.render_async(value=7))
    with files_of_calls() as called:
        assert asyncio.run(template.render_async(value=7)) == "<p>text</p>"
    assert not [file for file in called if file.endswith("async_utils.py")]


@pytest.mark.parametrize("text", ["", "text", "\x1ftext"])
def test_what_is_stored_without_a_header_is_a_hit(text: str) -> None:
    env = environment()
    fragment_cache(env).store.set(fragment_cache(env).key_for("a"), text)
    template = env.from_string("{% cache 300, 'a' %}rendered{% endcache %}")
    assert template.render() == text
