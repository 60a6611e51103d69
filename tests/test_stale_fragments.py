"""The cache tag's options `stale` and `stale_if_error`."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from jinja2 import TemplateSyntaxError

from jinja_fragcache import FragmentCache, FragmentTagError
from tests.support import Clock, Counter, RecordingStore, environment


class Moment:
    """An environment whose time is set by hand."""

    def __init__(self, source: str, **options: Any) -> None:
        self.clock = Clock()
        self.store = RecordingStore()
        self.cache = FragmentCache(
            self.store, clock=self.clock, **options.pop("rules", {})
        )
        self.env = environment({"page": source}, self.cache, **options)
        self.renders = Counter()
        self.error: Exception | None = None

    def body(self) -> str:
        if self.error is not None:
            raise self.error
        return f"<{self.renders()}>"

    def render(self, **values: Any) -> str:
        return self.env.get_template("page").render(body=self.body, **values)


@pytest.mark.parametrize("enable_async", [False, True])
@pytest.mark.parametrize("autoescape", [False, True])
@pytest.mark.parametrize(
    "head", ['60, "x"', "60", '60, "x", name.upper()', '60, "x", unless=no']
)
def test_the_last_good_text_is_served_where_the_body_fails(
    head: str,
    autoescape: bool,  # noqa: FBT001 - a parameter of the test
    enable_async: bool,  # noqa: FBT001 - the same
) -> None:
    moment = Moment(
        "{% cache " + head + ", stale_if_error=window %}{{ body() }}{% endcache %}",
        autoescape=autoescape,
        enable_async=enable_async,
    )
    values = {"window": timedelta(minutes=1), "name": "n"}
    first = "&lt;1&gt;" if autoescape else "<1>"
    assert moment.render(**values) == first
    assert moment.store.timeouts.popitem()[1] == 120
    moment.clock.now += 119
    moment.error = ValueError("no")
    assert moment.render(**values) == first
    moment.clock.now += 1
    with pytest.raises(ValueError, match="no"):
        moment.render(**values)


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ("", 90),
        ("stale=none", 90),
        ("stale=5", 65),
        ("stale=0", 60),
        ("stale=5, stale_if_error=100", 160),
        ("stale=window", 62),
    ],
)
def test_a_tag_has_its_own_window_or_that_of_the_cache(
    options: str, seconds: int
) -> None:
    source = (
        '{% cache 60, "x"' + (options and f", {options}") + " %}{{ body() }}"
        "{% endcache %}"
    )
    moment = Moment(source, rules={"stale": 30})
    moment.render(window=1.5)
    assert list(moment.store.timeouts.values()) == [seconds]


def test_a_stale_text_is_served_while_it_is_rendered_anew() -> None:
    moment = Moment(
        '{% cache 60, "x", stale=30 %}{{ body() }}{{ more() }}{% endcache %}'
    )
    assert moment.render(more=str) == "&lt;1&gt;"
    moment.clock.now += 60
    seen: list[str] = []

    def more() -> str:
        with ThreadPoolExecutor(1) as pool:
            seen.append(pool.submit(moment.render, more=str).result())
        return ""

    assert moment.render(more=more) == "&lt;2&gt;"
    assert seen == ["&lt;1&gt;"]
    assert moment.cache.stats().stale == 1


@pytest.mark.parametrize("option", ["stale", "stale_if_error"])
def test_a_window_that_is_none_is_told_where_the_tag_is_compiled(option: str) -> None:
    source = "\n{% cache 60, 'x', " + option + "='1 hour' %}{% endcache %}"
    env = environment({"page": source})
    with pytest.raises(TemplateSyntaxError) as raised:
        env.get_template("page")
    assert (raised.value.name, raised.value.lineno) == ("page", 2)
    assert f"{option} can't be '1 hour'. It is a number of seconds" in str(raised.value)


@pytest.mark.parametrize("option", ["stale", "stale_if_error"])
def test_a_window_that_is_none_is_told_where_it_is_rendered(option: str) -> None:
    source = "\n{% cache 60, 'x', " + option + "=window %}{% endcache %}"
    env = environment({"page": source})
    with pytest.raises(FragmentTagError) as raised:
        env.get_template("page").render(window=-1)
    assert str(raised.value).startswith(f"page, line 2: {option} can't be -1.")


def test_what_is_not_cached_needs_no_window() -> None:
    moment = Moment(
        '{% cache 60, "x", unless=true, stale=nothing.at_all %}{{ body() }}'
        "{% endcache %}"
    )
    assert moment.render() == "&lt;1&gt;"
    assert moment.store.calls == []


def test_a_deleted_fragment_is_not_served_where_the_body_fails() -> None:
    moment = Moment('{% cache how, "x", stale_if_error=60 %}{{ body() }}{% endcache %}')
    moment.render(how=60)
    assert moment.render(how="del") == "&lt;2&gt;"
    assert moment.store.values == {}
    moment.error = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        moment.render(how=60)
