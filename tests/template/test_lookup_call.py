"""What a tag decides while it is compiled: names, keys, timeouts, autoescape."""

from datetime import timedelta

import pytest
from jinja2 import DictLoader, StrictUndefined, TemplateSyntaxError

from jinja_fragcache import (
    FragmentCache,
    Stats,
    default_fragment_name,
    make_template_fragment_key,
)
from tests.support import RecordingStore, environment, fragment_cache

# Names and keys


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "300, 'x'",
        "300, 'x', 1, 'a' ~ 'b'",
        "t, 'x'",
        "5, 'x', unless=t",
        "5, stale=t",
        "5, 'x', stale=60",
    ],
)
def test_a_constant_key_is_in_the_compiled_template(
    arguments: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = environment()
    template = env.from_string("{% cache " + arguments + " %}a{% endcache %}")
    monkeypatch.setattr(
        "jinja_fragcache.render.lookup.make_template_fragment_key",
        lambda *_: pytest.fail("made a key while rendering"),
    )
    assert template.render(t=0) == "a"


def test_a_default_name_is_the_template_and_line() -> None:
    store = RecordingStore()
    source = "\n{% cache 300 %}a{% endcache %}{% cache %}b{% endcache %}"
    env = environment({"blog/page.html": source}, store)
    env.get_template("blog/page.html").render()
    first = default_fragment_name("blog/page.html", 2)
    second = default_fragment_name("blog/page.html", 2, position=2)
    assert set(store.values) == {
        make_template_fragment_key(first),
        make_template_fragment_key(second),
    }
    keys = [make_template_fragment_key(name) for name in (first, second)]
    assert [FragmentCache(store).get(key) for key in keys] == ["a", "b"]


def test_a_fragment_with_a_default_name_may_have_key_values() -> None:
    store = RecordingStore()
    env = environment({"p": "{% cache 300, vary_on=[1] %}a{% endcache %}"}, store)
    env.get_template("p").render()
    name = default_fragment_name("p", 1)
    assert set(store.values) == {make_template_fragment_key(name, [1])}


def test_two_templates_from_strings_do_not_share_a_default_name() -> None:
    env = environment()
    for n in "aba":
        source = "{% cache %}" + n + "{% endcache %}"
        assert env.from_string(source).render() == n
    assert fragment_cache(env).stats() == Stats(hits=1, misses=2, stored=2)


def test_an_edited_template_never_serves_the_old_text_at_a_shifted_line() -> None:
    tag = "{%% cache 300 %%}%s{%% endcache %%}\n"
    templates = {"page": tag % "one" + tag % "two"}
    env = environment(auto_reload=True)
    env.loader = DictLoader(templates)
    assert env.get_template("page").render() == "one\ntwo"
    templates["page"] = tag % "new" + tag % "one" + tag % "two"
    assert env.get_template("page").render() == "new\none\ntwo"
    templates["page"] = tag % "two"
    assert env.get_template("page").render() == "two"


def test_templates_share_a_fragment_of_the_same_name() -> None:
    env = environment()
    first = env.from_string("{% cache 300, 'x' %}{{ n }}{% endcache %}")
    second = env.from_string("\n\n{% cache 5, 'x' %}{{ n }}!{% endcache %}")
    assert first.render(n=1).strip() == "1"
    assert second.render(n=2).strip() == "1"


def test_a_name_written_out_like_a_default_name_is_another_entry() -> None:
    env = environment({"p": "{% cache %}by default{% endcache %}"})
    env.get_template("p").render()
    written = env.from_string("{% cache 300, 'p:1' %}written{% endcache %}")
    assert written.render() == "written"


# Timeouts and grace periods


@pytest.mark.parametrize(
    "arguments",
    ["'del', \"key\"", "'del' \"key\"", "'d' ~ 'el', \"key\"", 'how, "key"'],
)
def test_del_deletes_the_entry_and_stores_nothing(arguments: str) -> None:
    store = RecordingStore()
    key = make_template_fragment_key("key")
    store.values[key] = "old"
    source = "{% cache " + arguments + " %}new{% endcache %}"
    assert environment(store=store).from_string(source).render(how="del") == "new"
    assert store.values == {}
    assert store.calls == ["delete"]


def test_an_undefined_constant_is_refused_as_a_timeout() -> None:
    env = environment(undefined=StrictUndefined)
    with pytest.raises(TemplateSyntaxError, match="can't be undefined"):
        env.from_string("{% cache 'a'.b, 'x' %}{% endcache %}")


@pytest.mark.parametrize(
    ("options", "kept_for"),
    [
        ("", 300 + 7),
        ("stale=60", 300 + 60),
        ("stale=60, stale_if_error=90", 300 + 90),
        ("stale_if_error=60 * 5", 300 + 300),
        ("stale=0.5", 300 + 7),
        ("stale_if_error=7.5", 300 + 8),
        ("stale=0, stale_if_error=0", 300),
        ("stale=none, stale_if_error=None", 300 + 7),
        ("stale=sixty", 300 + 60),
        ("stale=nothing, stale_if_error=sixty + 1", 300 + 61),
        ("stale_if_error=minute, stale=0", 300 + 60),
        ("stale=0, stale_if_error=nothing", 300 + 7),
        ("stale=sixty, unless=nothing", 300 + 60),
        ("stale=60, vary_on=[sixty]", 300 + 60),
    ],
)
def test_an_entry_is_kept_for_the_longer_grace_period(
    options: str, kept_for: int
) -> None:
    store = RecordingStore()
    cache = FragmentCache(store, stale=5, stale_if_error=7)
    source = "{% cache 300, name='x', " + options + " %}text{% endcache %}"
    template = environment(store=cache).from_string(source.replace(",  %}", " %}"))
    minute = timedelta(minutes=1)
    assert template.render(sixty=60, nothing=None, minute=minute) == "text"
    assert list(store.timeouts.values()) == [kept_for]


# Autoescape


# Verification


@pytest.mark.parametrize("value", ["1", "'false'", "none", "off"])
def test_background_is_true_or_false_as_a_constant(value: str) -> None:
    source = "\n{% cache 300, 'x', background=" + value + " %}a{% endcache %}"
    with pytest.raises(TemplateSyntaxError, match="background is true or") as raised:
        environment().from_string(source)
    assert raised.value.lineno == 2
    assert '300, "menu", stale=60, background=true' in str(raised.value)


def test_rows_of_a_list_are_not_rendered_behind_the_request() -> None:
    source = "{% cache_each x in y 300, 'x', x, background=true %}{% endcache_each %}"
    with pytest.raises(TemplateSyntaxError, match="rendered by the caller"):
        environment().from_string(source)


@pytest.mark.parametrize("value", ["1", "'false'", "none", "off"])
def test_verify_is_true_or_false_as_a_constant(value: str) -> None:
    source = "\n{% cache 300, 'x', verify=" + value + " %}a{% endcache %}"
    with pytest.raises(TemplateSyntaxError, match="verify is true or false") as raised:
        environment().from_string(source)
    assert raised.value.lineno == 2
    assert '300, "clock", verify=false' in str(raised.value)


@pytest.mark.parametrize("value", ["true", "false"])
def test_a_tag_with_verify_takes_the_fast_path(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = environment()
    source = "{% cache 300, 'x', verify=" + value + " %}a{% endcache %}"
    template = env.from_string(source)
    template.render()
    monkeypatch.setattr(
        "jinja_fragcache.render.lookup.look_further",
        lambda *_: pytest.fail("took the slow path"),
    )
    assert template.render() == "a"
