from typing import Any

import pytest
from jinja2 import DictLoader, Environment, TemplateNotFound

from jinja_fragcache.engine.dependencies import Dependencies
from jinja_fragcache.render.output import (
    include_without_context,
    note_printing,
    note_template,
)
from jinja_fragcache.render.sources import MISSING_TEMPLATE, sources_of
from tests.support import environment


def test_printing_is_noted_for_text_that_is_printed() -> None:
    printing: list[bool] = []
    assert note_printing("", printing) == ""
    assert printing == []
    assert note_printing("text", printing) == ""
    assert printing == [True]


def test_an_included_template_that_is_missing_is_an_error() -> None:
    env = environment()
    source = "{% cache %}{% include 'nowhere' without context %}{% endcache %}"
    with pytest.raises(TemplateNotFound, match="nowhere"):
        env.from_string(source).render()


@pytest.mark.parametrize("names", ["b", ["none", "b"]])
def test_an_include_without_context_prints_the_first_template_that_exists(
    names: Any,
) -> None:
    env = environment({"b": "b{{ user }}"})
    assert include_without_context(env, names, None, ignore_missing=False) == "b"


def test_an_include_that_ignores_a_missing_template_prints_nothing() -> None:
    assert include_without_context(environment(), "none", None, True) == ""
    with pytest.raises(TemplateNotFound):
        include_without_context(environment(), "none", None, False)


class Relative(Environment):
    """An environment in which names are relative to the template's folder."""

    def join_path(self, template: str, parent: str) -> str:
        return f"{parent.rpartition('/')[0]}/{template}"


def test_the_templates_that_an_expression_names_become_dependencies() -> None:
    env = Relative(loader=DictLoader({"x/b": "b", "x/c": "c"}), autoescape=True)
    context = env.from_string("").new_context()
    digests = sources_of(env)
    with Dependencies() as dependencies:
        # Of several names, those up to the first that exists: if one of the missing
        # templates appears, it is used instead.
        names = ["none", "b", "c"]
        assert note_template(context, names, "x/page") is names
        template = env.get_template("x/c")
        assert note_template(context, template, "x/page") is template
    assert dependencies.templates == {
        "x/none": MISSING_TEMPLATE,
        "x/b": digests.digest_of("x/b"),
        "x/c": digests.digest_of("x/c"),
    }
