"""Whatever writes the code of a fragment, it prints the same."""

from typing import Any

import pytest
from jinja2 import Environment
from jinja2.compiler import CodeGenerator

from jinja_fragcache import FragmentCacheExtension
from jinja_fragcache.template.code_generator import FragmentCodeGenerator
from tests.support import Counter


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
    "hole": (
        "{% cache 300, 'k', k %}<{{ n() }}{% nocache %}{{ k }}{% endnocache %}>"
        "{% endcache %}"
    ),
    "list": (
        "{% cache_each a in [1, 2], 300, 'k', k, a %}<{{ n() }}>{% endcache_each %}"
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
