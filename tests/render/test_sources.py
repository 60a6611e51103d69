import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jinja2 import (
    ChoiceLoader,
    DictLoader,
    Environment,
    FileSystemLoader,
    FunctionLoader,
    ModuleLoader,
    PrefixLoader,
)

from jinja_fragcache import FragmentCacheExtension
from jinja_fragcache.remembered import size_of
from jinja_fragcache.render import sources
from jinja_fragcache.render.sources import (
    MISSING_TEMPLATE,
    Sources,
    find_namings,
    references,
    sources_of,
)
from tests.support import Counter, environment


def tokens(source: str) -> list[Any]:
    return list(Environment().lexer.tokenize(source))


@pytest.mark.parametrize(
    ("tag", "names", "expressions"),
    [
        ("include 'a'", ["a"], []),
        ('include "a" ignore missing with context', ["a"], []),
        ("include ['a', 'b'] without context", ["a", "b"], []),
        ("include ('a', 'b',) ignore missing", ["a", "b"], []),
        ("include ('a')", ["a"], []),
        ("include 'a' 'b'", ["ab"], []),
        ("include [('a'), ('b', c)]", ["a", "b"], ["c"]),
        ("import 'a' as b", ["a"], []),
        ("import 'a' as b with context", ["a"], []),
        ("from 'a' import b as c, d", ["a"], []),
        ("extends 'a'", ["a"], []),
        ("include a", [], ["a"]),
        ("include (a)", [], ["a"]),
        ("include 'a' ~ b ignore missing", [], ["'a' ~ b"]),
        ("include ignore", [], ["ignore"]),
        (
            "include 'a' if b else 'c' with context",
            [],
            ["'a' if b else 'c'"],
        ),
        ("include f('a', [b])['c']", [], ["f ( 'a' , [ b ] ) [ 'c' ]"]),
        ("include {'a': 'b'}[c]", [], ["{ 'a' : 'b' } [ c ]"]),
        ("include (a)|f", [], ["( a ) | f"]),
        ("include [a, 'b']", ["b"], ["a"]),
        ("include [a, 'b', 1, none, c ~ 'd', {}, ]", ["b"], ["a", "c ~ 'd'"]),
        ("import a as b", [], ["a"]),
        ("from a import b", [], ["a"]),
        ("extends a if b else c", [], ["a if b else c"]),
        # What is wrong stays wrong.
        ("include a, b", [], []),
        ("include", [], []),
    ],
)
def test_find_namings_tells_literal_names_from_expressions(
    tag: str, names: list[str], expressions: list[str]
) -> None:
    source = f"{{{{ include }}}}{{% set include = 'x' %}}{{% {tag} %}}'y'"
    found = tokens(source)
    (naming,) = find_namings(found)
    assert naming.names == tuple(names)
    texts = [
        " ".join(
            repr(token.value) if token.type == "string" else str(token.value)
            for token in found[start:end]
        )
        for start, end in naming.expressions
    ]
    assert texts == expressions
    assert references([naming]) == (json.dumps(names) if names else "")


# Which edits of templates make a miss


class Site:
    """Templates that may be edited, and a page that is cached with its sources."""

    def __init__(self, templates: dict[str, str], **options: Any) -> None:
        self.templates = templates
        options.setdefault("loader", DictLoader(templates))
        self.env = environment(**options)

    def render(self, name: str = "page", **values: Any) -> str:
        return self.env.get_template(name).render(values)


CHAIN = {
    "page": "{% extends 'layout' %}{% import 'macros' as m %}{% block body %}"
    "{% cache 60, 'x', template_digest=true %}{{ m.shout(n()) }}{% include 'part' %}"
    "{% include ['none', 'some'] ignore missing %}{% endcache %}{% endblock %}",
    "layout": "<{% block body %}{% endblock %}>",
    "macros": "{% from 'deep' import mark %}"
    "{% macro shout(t) %}{{ t }}{{ mark() }}{% endmacro %}",
    "deep": "{% macro mark() %}!{% endmacro %}",
    "part": "part{% include 'deeper' %}",
    "deeper": "deeper",
    "some": "some",
}


@pytest.mark.parametrize("name", [*CHAIN, "none"])
def test_an_edited_template_that_is_named_literally_makes_a_miss(name: str) -> None:
    site = Site(dict(CHAIN))
    counter = Counter()
    assert site.render(n=counter) == "<1!partdeepersome>"
    assert site.render(n=counter) == "<1!partdeepersome>"
    site.templates[name] = site.templates.get(name, "") + "{% set x = 1 %}"
    assert site.render(n=counter).startswith("<2!")
    assert site.render(n=counter).startswith("<2!")


def test_an_edited_template_that_is_not_used_makes_no_miss() -> None:
    site = Site({**CHAIN, "other": "other"})
    counter = Counter()
    site.render(n=counter)
    site.templates["other"] = "edited"
    assert site.render(n=counter).startswith("<1!")


def test_without_template_digest_an_edited_template_makes_no_miss() -> None:
    site = Site(
        {
            "page": "{% cache 60, 'x' %}{{ n() }}{% include 'a' %}{% endcache %}",
            "a": "a",
        }
    )
    counter = Counter()
    site.render(n=counter)
    site.templates.update(page=site.templates["page"] + ".", a="b")
    assert site.render(n=counter) == "1a."


@pytest.mark.parametrize("name", ["page", "a"])
def test_template_digest_can_be_set_for_the_whole_cache(name: str) -> None:
    site = Site(
        {
            "page": "{% cache 60, 'x' %}{{ n() }}{% include 'a' %}{% endcache %}"
            "{% cache 60, 'y', template_digest=false %}{{ n() }}{% endcache %}",
            "a": "a",
        }
    )
    cache = type(site.env.fragment_cache)(template_digest=True)  # type: ignore[attr-defined]
    site.env.fragment_cache = cache  # type: ignore[attr-defined]
    counter = Counter()
    assert site.render(n=counter) == "1a2"
    site.templates[name] += "."
    assert site.render(n=counter)[0] == "3"
    assert counter.calls == 3


@pytest.mark.parametrize("name", ["page", "a", "b"])
def test_a_fragment_without_a_name_is_always_bound_to_its_sources(name: str) -> None:
    site = Site(
        {
            "page": "{% cache 60 %}{{ n() }}{% include 'a' %}{% endcache %}",
            "a": "a{% include 'b' %}",
            "b": "b",
        }
    )
    counter = Counter()
    assert [site.render(n=counter), site.render(n=counter)] == ["1ab", "1ab"]
    site.templates[name] += "{# note #}."
    assert site.render(n=counter).startswith("2a")


DYNAMIC = {
    "page": "{% cache 60, 'x', which, template_digest=true %}{{ n() }}"
    "{% include which ~ '.html' %}{% endcache %}",
    "a.html": "a{% include 'deep' %}",
    "b.html": "b",
    "deep": "{% import ('mac' ~ 'ros') as m %}{{ m.shout() }}",
    "macros": "{% macro shout() %}!{% endmacro %}",
}


@pytest.mark.parametrize("enable_async", [False, True])
@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.html", "3b2"), ("deep", "3b2"), ("macros", "3b2"), ("b.html", "1b3")],
)
def test_an_edited_template_that_an_expression_named_makes_a_miss(
    name: str,
    expected: str,
    enable_async: bool,
) -> None:
    site = Site(dict(DYNAMIC), enable_async=enable_async)
    counter = Counter()

    def render() -> list[str]:
        return [site.render(n=counter, which=which) for which in "ab"]

    assert render() == ["1a!", "2b"]
    assert render() == ["1a!", "2b"]
    site.templates[name] += " "
    assert "".join(text[0] for text in render()) == expected.replace("b", "")


def test_a_template_that_appears_or_disappears_makes_a_miss() -> None:
    site = Site(
        {
            "page": "{% cache 60, 'x', template_digest=true %}{{ n() }}"
            "{% include names ignore missing %}{% endcache %}",
            "b": "b",
        }
    )
    counter = Counter()
    for _ in range(2):
        assert site.render(n=counter, names=["a", "b"]) == "1b"
    site.templates["a"] = "a"
    assert site.render(n=counter, names=["a", "b"]) == "2a"
    del site.templates["a"]
    assert site.render(n=counter, names=["a", "b"]) == "3b"


def test_the_templates_of_an_inner_entry_count_for_the_outer_one() -> None:
    site = Site(
        {
            "page": "{% cache 60, 'o', template_digest=true %}{{ n() }}"
            "{% include x %}{% endcache %}",
            "part": "{% cache 60, 'i', template_digest=true %}{% include y %}"
            "{% endcache %}",
            "deep": "deep",
        }
    )
    counter = Counter()

    def render(name: str) -> str:
        return site.render(name, n=counter, x="part", y="deep")

    assert render("part") == "deep"
    assert [render("page"), render("page")] == ["1deep", "1deep"]
    site.templates["deep"] = "edited"
    assert render("page") == "2edited"


@pytest.mark.parametrize("value", ["1", "'yes'", "none_or_1"])
def test_a_wrong_template_digest_is_an_error(value: str) -> None:
    source = f"{{% cache 60, 'x', template_digest={value} %}}{{% endcache %}}"
    with pytest.raises(Exception, match="template_digest can't be"):
        environment({"page": source}).get_template("page").render(none_or_1=1)


# Loaders


def reading(folder: Path) -> FunctionLoader:
    return FunctionLoader(lambda name: (folder / name).read_text())


LOADERS: dict[str, Callable[[Path], Any]] = {
    "files": FileSystemLoader,
    "choice": lambda folder: ChoiceLoader([DictLoader({}), FileSystemLoader(folder)]),
    "function": reading,
}


@pytest.mark.parametrize("kind", LOADERS)
def test_sources_come_from_any_loader(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a{% include 'b' %}")
    (tmp_path / "b").write_text("b")
    env = environment(loader=LOADERS[kind](tmp_path))
    first = Sources(env).digest_of("a")
    assert first not in {Sources(env).digest_of("b"), MISSING_TEMPLATE}
    (tmp_path / "b").write_text("c")
    assert Sources(env).digest_of("a") != first


def test_names_are_resolved_by_the_join_path_of_the_environment() -> None:
    class Relative(Environment):
        def join_path(self, template: str, parent: str) -> str:
            return f"{parent.rpartition('/')[0]}/{template}"

    folder = DictLoader({"a": "{% include 'b' %}", "b": "b"})
    env = Relative(loader=PrefixLoader({"x": folder}))
    found = Sources(env)
    assert found.digest_of("x/a") != MISSING_TEMPLATE
    before = found.digest_of("x/a")
    folder.mapping["b"] = "edited"  # type: ignore[index]
    assert found.digest_of("x/a") != before


def test_compiled_templates_are_compared_by_their_code(tmp_path: Path) -> None:
    def compiled(part: str) -> Environment:
        templates = {
            "page": "{% cache 60 %}{{ n() }}{% include 'a' %}{% endcache %}",
            "a": part,
        }
        folder = tmp_path / part
        environment(templates).compile_templates(folder, zip=None)
        return environment(loader=ModuleLoader(folder))

    first, second = compiled("a"), compiled("b")
    second.fragment_cache = first.fragment_cache  # type: ignore[attr-defined]
    counter = Counter()
    for env, expected in ((first, "1a"), (second, "2b"), (second, "2b")):
        assert env.get_template("page").render(n=counter) == expected


def test_sources_are_read_again_only_with_auto_reload() -> None:
    reads: list[str] = []
    templates = {"a": "{% include 'b' %}{% include 'a' %}", "b": "b"}

    def load(name: str) -> tuple[str, None, Callable[[], bool]] | None:
        reads.append(name)
        source = templates.get(name)
        if source is None:
            return None
        return source, None, lambda: templates.get(name) == source

    env = environment(loader=FunctionLoader(load), auto_reload=False)
    found = Sources(env)
    first = found.digest_of("a")
    templates["b"] = "edited"
    assert found.digest_of("a") == first
    assert reads == ["a", "b"]
    env.auto_reload = True
    assert found.digest_of("a") != first
    assert reads == ["a", "b", "b"]
    del templates["b"]
    found.digest_of("a")
    env.auto_reload = False
    templates["b"] = "b"
    # A template that was missing is looked up again.
    assert found.digest_of("a") == first


def test_a_template_with_a_syntax_error_is_no_error_until_it_is_used() -> None:
    site = Site(
        {
            "page": "{% cache 60 %}{{ n() }}{% if x %}{% include 'a' %}{% endif %}"
            "{% endcache %}",
            "a": "{% if 'unclosed %}",
        }
    )
    counter = Counter()
    assert [site.render(n=counter), site.render(n=counter)] == ["1", "1"]


def test_an_environment_without_a_loader_caches_fragments() -> None:
    env = Environment(extensions=[FragmentCacheExtension])
    page = env.from_string(
        "{% cache 60 %}{{ n() }}{% if x %}{% include 'a' %}{% endif %}{% endcache %}"
    )
    counter = Counter()
    assert [page.render(n=counter), page.render(n=counter)] == ["1", "1"]


def test_an_overlay_has_sources_of_its_own() -> None:
    env = environment({"a": "a"})
    known = sources_of(env)
    assert sources_of(env) is known
    other = env.overlay(loader=DictLoader({"a": "other"}))
    assert sources_of(other) is not known
    assert sources_of(other).digest_of("a") != known.digest_of("a")


def test_the_number_of_sources_that_are_remembered_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jinja_fragcache.render.sources._MOST_REMEMBERED", 3)
    loader = FunctionLoader(lambda name: "{% include 'a' %}" + name)
    env = Environment(loader=loader, auto_reload=False)
    found = Sources(env)
    digests = [found.digest_of(f"page {number}") for number in range(9)]
    assert len(set(digests)) == 9
    assert [found.digest_of(f"page {number}") for number in range(9)] == digests
    assert len(found._by_name) <= 3
    assert len(found._whole) <= 3


def test_sources_that_may_be_kept_for_comparison_count_with_their_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sources, "_MOST_BYTES", 2**15)
    # The loader's own check whether a template has changed refers to its source.
    loader = FunctionLoader(lambda name: (name * 1000, None, lambda: True))
    found = Sources(Environment(loader=loader))
    digests = [found.digest_of(f"page {number:03}") for number in range(40)]
    assert len(set(digests)) == 40
    assert 0 < len(found._by_name) < 5
    # Only the digest is kept of one that never changes.
    loader = FunctionLoader(lambda name: (name * 1000, None, None))
    found = Sources(Environment(loader=loader))
    for number in range(9):
        found.digest_of(f"page {number:03}")
    assert len(found._by_name) == 9


def test_long_names_of_templates_are_remembered_within_the_same_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sources, "_MOST_BYTES", 2**15)
    monkeypatch.setattr(sources, "_MOST_BYTES_OF_DIGESTS", 2**15)
    loader = FunctionLoader(lambda name: "{% include 'a' %}" + name[:9])
    found = Sources(Environment(loader=loader, auto_reload=False))
    for number in range(40):
        found.digest_of(f"{number:09}" + "x" * 2**13)
    assert 0 < len(found._by_name) < 5
    assert 0 < len(found._whole) < 5


def test_long_references_are_remembered_within_the_same_bytes() -> None:
    templates = {
        str(number): "{% include '" + str(number) * 2**17 + "' ignore missing %}"
        for number in range(9)
    }
    found = Sources(environment(templates))
    for name in templates:
        assert found.digest_of(name) == found.digest_of(name)
    known = sources._known_names
    assert any(name[2:3] == "8" for name in known)
    assert sum(size_of(each) for each in known.items()) < 2**20
