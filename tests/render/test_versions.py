from typing import Any

import pytest
from jinja2.runtime import Context

from jinja_fragcache import FragmentCache, KeyValueError
from jinja_fragcache.errors import PolicyError
from jinja_fragcache.render.environment import Site, UnnamedPageError
from jinja_fragcache.render.versions import source_digest, version_of, with_page
from tests.support import environment

SITE: Site = ("page", 1, "digest of the tag's template", "", "||", "")


def page_context(
    page: str = "", layout: str = "", cache: FragmentCache | None = None
) -> Context:
    """Make the context in which a page renders."""
    env = environment({"page": page, "layout": layout}, cache)
    template = env.get_template("page")
    return template.new_context()


def test_without_options_there_is_no_version() -> None:
    assert version_of(page_context(), SITE, None, None) is None


def test_a_version_has_its_type_and_is_short() -> None:
    context = page_context()
    versions = [version_of(context, SITE, each, None) for each in (1, "a", "a" * 500)]
    assert len({*versions, None}) == 4
    assert max(len(version or "") for version in versions) <= 64
    assert version_of(context, SITE, "a" * 500, None) == versions[2]


def test_a_version_that_is_only_an_address_is_refused() -> None:
    with pytest.raises(KeyValueError, match="The version"):
        version_of(page_context(), SITE, object(), None)


@pytest.mark.parametrize("default", [False, True])
def test_template_digest_overrides_the_default_of_the_cache(default: bool) -> None:
    context = page_context(cache=FragmentCache(template_digest=default))
    digest = source_digest(context.environment, SITE)
    assert version_of(context, SITE, None, True) == digest
    assert version_of(context, SITE, None, False) is None
    assert version_of(context, SITE, None, None) == (digest if default else None)


@pytest.mark.parametrize("option", [1, "yes"])
def test_a_template_digest_that_is_not_a_boolean_is_refused(option: Any) -> None:
    with pytest.raises(PolicyError, match="template_digest can't be"):
        version_of(page_context(), SITE, None, option)


def test_several_parts_are_one_version_that_differs_in_each() -> None:
    context = page_context("{% block body %}text{% endblock %}")
    edited: Site = ("page", 1, "another digest", "", "||", "")
    versions = [
        version_of(context, site, version, None, has_holes=holes, by_page=by_page)
        for site in (SITE, edited)
        for version in (1, 2)
        for holes, by_page in ((True, False), (True, True))
    ]
    assert len(set(versions)) == len(versions)


def test_the_version_of_a_page_depends_on_what_its_blocks_are_compiled_to() -> None:
    def version(text: str) -> str | None:
        page = "{% block body %}" + text + "{% endblock %}"
        return version_of(page_context(page), SITE, None, None, by_page=True)

    assert version("text") == version("text")
    assert version("text") != version("edited")


def test_key_values_by_page_end_with_the_name_of_the_template() -> None:
    context = page_context()
    assert with_page(context, [1, "a"]) == [1, "a", "page"]
    unnamed = context.environment.from_string("").new_context()
    with pytest.raises(UnnamedPageError, match="has no name"):
        with_page(unnamed, [])
