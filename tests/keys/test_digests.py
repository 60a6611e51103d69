import gc
import os
import subprocess
import sys
import weakref
from typing import Any

import pytest

from jinja_fragcache.keys.digests import code_digest, digest, shortened


def of(source: str) -> str:
    names: dict[str, Any] = {}
    exec(source, names)  # noqa: S102 - our own source
    return code_digest(names["f"].__code__)


BASE = of("def f(a):\n    return a + 1")


@pytest.mark.parametrize(
    "other",
    [
        "def f(a):\n    return a - 1",
        "def f(a):\n    return a + 2",
        "def f(a):\n    return b + 1",
        "def f(a):\n    return lambda: a + 1",
    ],
)
def test_code_that_does_something_else_has_another_digest(other: str) -> None:
    assert of(other) != BASE


def test_nested_functions_count() -> None:
    source = "def f(a):\n    def g(): return a + {}\n    return g"
    assert of(source.format(1)) == of(source.format(1))
    assert of(source.format(1)) != of(source.format(2))


def test_lines_and_comments_do_not_count() -> None:
    assert of("\n\n# a note\ndef f(a):\n\n    return a + 1") == BASE


def test_any_string_has_a_digest_even_with_lone_surrogates() -> None:
    assert len({digest("a"), digest("b"), digest("\udc80"), digest("\udc81")}) == 4


def test_code_with_a_set_has_one_digest_in_every_process() -> None:
    source = "def f(x): return x in {'a', 'b', 'c', ('d', 1)}"
    script = (
        "from jinja_fragcache.keys.digests import code_digest\n"
        f"space = {{}}; exec({source!r}, space)\n"
        "print(code_digest(space['f'].__code__))"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in "123"
    }
    assert len(digests) == 1


def test_code_whose_digest_was_asked_for_is_not_kept_alive() -> None:
    space: dict[str, Any] = {}
    exec("def function(): return 'of a template that is compiled again'", space)  # noqa: S102 - code that can go
    reference = weakref.ref(space["function"].__code__)
    code_digest(space["function"].__code__)
    space.clear()
    gc.collect()
    assert reference() is None


def test_a_long_text_is_shortened_to_its_digest() -> None:
    assert shortened("a" * 200) == "a" * 200
    assert shortened("a" * 201) == digest("a" * 201)
