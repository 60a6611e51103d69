"""A name that only rendering tells, of several tags whose bodies differ."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import DictLoader, ModuleLoader

from jinja_fragcache import FragmentCache, MemoryStore
from jinja_fragcache.errors import FragmentTagError
from tests.support import CoroutineStore, Counter, RecordingStore, environment

URL = "https://example.org/"
ONE = "{% cache 60, url %}one{{ one() }}{% endcache %}"
TWO = "\n{% cache 60, url %}two{{ two() }}{% endcache %}"


class Process:
    """An environment of a process, whose store others may share.

    Args:
        templates: The templates, which may be edited.
        store: The store.
        options: The arguments of the `FragmentCache` and of the environment.
    """

    def __init__(
        self,
        templates: dict[str, str],
        store: Any = None,
        *,
        strict: bool = False,
        **options: Any,
    ) -> None:
        self.store = RecordingStore() if store is None else store
        self.cache = FragmentCache(self.store, strict=strict)
        options.setdefault("loader", DictLoader(templates))
        self.env = environment(store=self.cache, **options)
        self.one, self.two = Counter(), Counter()

    def render(self, name: str, **values: Any) -> str:
        values = {"url": URL, "one": self.one, "two": self.two, **values}
        template = self.env.get_template(name)
        if self.env.is_async:
            return asyncio.run(template.render_async(values))
        return template.render(values)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records]


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Callable[[], bool]:
    """Provide a function that returns whether nothing was logged."""
    caplog.set_level(logging.WARNING)
    return lambda: not caplog.records


STORES: dict[str, tuple[bool, Callable[[], Any]]] = {
    "sync": (False, RecordingStore),
    "memory": (False, MemoryStore),
    "threads": (True, RecordingStore),
    "coroutines": (True, CoroutineStore),
}


@pytest.mark.parametrize("kind", STORES)
def test_the_second_tag_on_a_page_is_not_cached_and_one_warning_says_so(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    is_async, make = STORES[kind]
    process = Process({"page": ONE + TWO}, make(), enable_async=is_async)
    texts = [process.render("page") for _ in range(3)]
    assert texts == ["one1\ntwo1", "one1\ntwo2", "one1\ntwo3"]
    assert process.cache.stats().uncached == 3
    (warning,) = warnings(caplog)
    assert warning.startswith("page, line 2: the fragment is not cached. ")
    assert "another tag's name" in warning
    assert "differs: page, line 1. Write a name" in warning
    assert URL not in warning


def test_a_shared_name_is_an_error_in_a_strict_cache() -> None:
    process = Process({"page": ONE + TWO}, strict=True)
    for _ in range(2):
        with pytest.raises(FragmentTagError, match=r"page, line 2: .* page, line 1"):
            process.render("page")


@pytest.mark.parametrize(
    "options",
    [
        ", stale=60",
        ", tags=['t']",
        ", version=1",
        ", template_digest=true",
        ", 7, unless=false",
    ],
)
def test_a_shared_name_is_noticed_with_every_option(options: str) -> None:
    page = (ONE + TWO).replace("url", f"url{options}")
    process = Process({"page": page})
    assert process.render("page") == "one1\ntwo1"
    assert process.render("page") == "one1\ntwo2"
    with pytest.raises(FragmentTagError):
        Process({"page": page}, process.store, strict=True).render("page")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("{% block NAME %}NAME{% endblock %}", "a|b"),
        ("NAME{% nocache %}{{ url|length }}{% endnocache %}", "a20|b20"),
    ],
)
def test_a_shared_name_is_noticed_with_blocks_and_holes(
    body: str, expected: str
) -> None:
    tag = f"{{% cache 60, url %}}{body}{{% endcache %}}"
    page = "|".join(tag.replace("NAME", each) for each in "ab")
    process = Process({"page": page})
    assert [process.render("page") for _ in range(2)] == [expected] * 2
    with pytest.raises(FragmentTagError):
        Process({"page": page}, process.store, strict=True).render("page")


def test_a_shared_name_is_noticed_in_lists() -> None:
    each = (
        "{% cache_each n in (1, 2), 60, url, n %}NAME{{ n }}{{ NAME() }},"
        "{% endcache_each %}"
    )
    page = each.replace("NAME", "one") + each.replace("NAME", "two")
    for is_async in (False, True):
        process = Process({"page": page}, enable_async=is_async)
        assert process.render("page") == "one11,one22,two11,two22,"
        assert process.render("page") == "one11,one22,two13,two24,"
        assert process.cache.stats().uncached == 4
        with pytest.raises(FragmentTagError):
            Process({"page": page}, process.store, strict=True).render("page")


def test_a_shared_name_is_noticed_between_templates_and_processes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    templates = {"a": ONE, "b": TWO}
    first = Process(templates)
    second = Process(templates, first.store)
    texts = [
        process.render(name) for process, name in [(first, "a"), (second, "b")] * 3
    ]
    assert texts == ["one1", "\ntwo1", "one1", "\ntwo2", "one1", "\ntwo3"]
    assert first.store.calls.count("set") == 1
    (warning,) = warnings(caplog)
    assert warning.startswith("b, line 2: ")
    assert "a, line 1" in warning


def test_a_shared_name_is_noticed_in_a_template_from_a_string() -> None:
    env = environment(store=FragmentCache(strict=True))
    with pytest.raises(FragmentTagError, match="stands in the same template"):
        env.from_string(
            "{% cache 60, x %}1{% endcache %}{% cache 60, x %}2{% endcache %}"
        ).render(x="x")


def test_templates_from_other_strings_print_their_own(
    quiet: Callable[[], bool],
) -> None:
    env = environment(store=FragmentCache(strict=True))
    templates = [
        env.from_string(f"{{% cache 60, x %}}{n}{{% endcache %}}") for n in "ab"
    ]
    assert [each.render(x="x") for each in templates * 2] == ["a", "b", "a", "b"]
    assert quiet()


# The same tag


@pytest.mark.parametrize(
    "page",
    [
        "{% for n in 'ab' %}" + ONE + "{% endfor %}",
        "{% macro m() %}" + ONE + "{% endmacro %}{{ m() }}{{ m() }}",
        "{% include 'one' %}{% include 'one' %}",
        "{% for n in 'ab' %}{% include 'one' %}{% endfor %}",
        # The same body is no other one.
        ONE + ONE,
        ONE + "{% include 'one' %}",
        "{% set u = url %}" + ONE + ONE.replace("url", "u, stale=0"),
    ],
)
def test_the_same_body_again_is_served(page: str) -> None:
    process = Process({"page": page, "one": ONE}, strict=True)
    assert process.render("page") == "one1one1"
    assert process.render("page") == "one1one1"
    assert process.one.calls == 1


def test_the_same_template_in_several_environments_is_the_same_tag() -> None:
    templates = {"page": ONE}
    first = Process(templates, strict=True)
    second = Process(templates, first.store, strict=True)
    overlay = first.env.overlay()
    assert first.render("page") == second.render("page") == "one1"
    assert overlay.get_template("page").render(url=URL) == "one1"


def test_the_same_body_in_another_template_is_no_other_one_when_it_is_due() -> None:
    page = ONE.replace("url", "url, version=v")
    process = Process({"a": page, "b": page}, strict=True)
    texts = [process.render(name, v=v) for v in (1, 2) for name in ("a", "b")]
    assert texts == ["one1", "one1", "one2", "one2"]
    process.render("b", v=3)
    assert process.render("a", v=4) == "one4"


def test_a_fragment_is_deleted_by_its_name() -> None:
    process = Process({"page": ONE})
    process.render("page")
    process.cache.delete_fragment(URL)
    assert process.render("page") == "one2"
    del_ = Process({"page": ONE.replace("60", "'del'")}, process.store)
    del_.render("page")
    assert process.store.values == {}


# Edits


def edited(
    first: str, second: str, *, names: tuple[str, str] = ("page", "page")
) -> Any:
    """Render a template, replace it by another one, and render that."""
    templates = {names[0]: first}
    process = Process(templates, strict=True)
    process.render(names[0])
    templates.clear()
    templates[names[1]] = second
    return process.render(names[1])


def test_an_edited_body_is_rendered_again() -> None:
    assert edited(ONE, TWO) == "\ntwo1"


def test_an_edited_tag_may_move() -> None:
    other = "{% cache 60, 'other' %}{% endcache %}"
    assert edited(ONE, f"{other}{TWO}") == "\ntwo1"
    assert edited(ONE, TWO, names=("page", "part")) == "\ntwo1"
    assert edited(ONE, f"\n{ONE}") == "\none1"


def test_a_process_whose_template_was_edited_meanwhile_does_not_complain() -> None:
    templates = {"page": ONE}
    old = Process(templates, strict=True, auto_reload=False)
    old.render("page")
    templates["page"] = TWO
    new = Process(templates, old.store, strict=True)
    assert new.render("page") == "\ntwo1"
    assert old.render("page") == "one2"


def test_precompiled_templates_print_their_own(tmp_path: Path) -> None:
    source = Process({"page": ONE + TWO})
    source.env.compile_templates(str(tmp_path), zip=None)
    process = Process({}, strict=True, loader=ModuleLoader(str(tmp_path)))
    assert [process.render("page") for _ in range(2)] == ["one1\ntwo1", "one2\ntwo2"]


# Constant names


def test_tags_with_a_constant_name_share_it() -> None:
    page = (ONE + TWO).replace("url", "'name'")
    assert Process({"page": page}, strict=True).render("page") == "one1\none1"


def test_a_constant_name_is_not_mistaken_for_a_variable_one() -> None:
    page = ONE + TWO.replace("url", f"'{URL}'")
    process = Process({"page": page})
    assert [process.render("page") for _ in range(2)] == ["one1\ntwo1", "one2\ntwo2"]
    backwards = Process({"page": TWO.replace("url", f"'{URL}'") + ONE})
    assert backwards.render("page") == "\ntwo1one1"


# Everything at once

_BODIES = st.sampled_from(["", "a", "b", "{{ url }}", "c{# d #}"])
_PLACES = st.sampled_from(["page", "part", "third"])


@given(
    st.lists(st.tuples(_PLACES, _BODIES), min_size=1),
    st.lists(st.tuples(_PLACES, st.booleans(), st.sampled_from("uv"))),
    st.data(),
)
def test_no_tag_prints_what_another_body_printed(
    edits: list[tuple[str, str]],
    renders: list[tuple[str, bool, str]],
    data: st.DataObject,
) -> None:
    templates = dict.fromkeys(("page", "part", "third"), "")
    processes = [Process(templates)]
    processes.append(Process(templates, processes[0].store, auto_reload=False))
    loaded: dict[str, str] = {}
    steps: list[Any] = data.draw(st.permutations([*edits, *renders]))
    for step in steps:
        if len(step) == 2:
            place, body = step
            tag = f"{{% cache 60, url %}}{body}{{% endcache %}}"
            templates[place] += tag
            continue
        place, reloads, url = step
        source = templates[place]
        if not reloads:
            source = loaded.setdefault(place, source)
        plain = environment().from_string(
            source.replace("{% cache 60, url %}", "").replace("{% endcache %}", "")
        )
        assert processes[not reloads].render(place, url=url) == plain.render(url=url)
