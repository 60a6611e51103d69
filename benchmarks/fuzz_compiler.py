"""Coverage-guided fuzz: only a TemplateSyntaxError comes out of compiling a template.

Each input becomes the text of a template, written with the words of the grammar. An
error of another type is a crash, unless Jinja raises it for the template without tags,
too. Run it with `make fuzz`, which takes a minute; `FUZZ_SECONDS=600` makes it ten.
"""

import re
import sys
import warnings
from typing import Any

from jinja2 import Environment, TemplateSyntaxError

try:
    import atheris
except ImportError:
    print("There is no atheris for this platform: skipped.")
    sys.exit(0)

with atheris.instrument_imports(include=["jinja_fragcache"]):
    from jinja_fragcache import FragmentCacheExtension

WORDS = """
    {% %} {{ }} {%- -%} cache endcache cache_each endcache_each nocache endnocache in
    if else elif endif for endfor set endset block endblock extends macro endmacro call
    endcall filter endfilter with endwith include import from as context without ignore
    missing autoescape endautoescape a b loop caller self super varargs 300 'k' "k" 0.5
    none true 'del' , : = ( ) [ ] { } | . * ~ ** == + - is not or and recursive upper
    nofilter vary_on tags unless timeout name version stale stale_if_error 10**5000
    template_digest break continue do
"""
# The beginnings of templates in which little is wrong.
PHRASES = (
    "{% cache 300, 'k' %}",
    "{% endcache %}",
    "{% cache_each a in b, 300, 'k', a %}",
    "{% endcache_each %}",
    "{% nocache %}",
    "{% endnocache %}",
    "{% for a in b %}",
    "{% endfor %}",
    "{% if a %}",
    "{% endif %}",
    "{{ a }}",
    "{{ caller() }}",
    "{% include a without context %}",
    "{% set a = 1 %}",
)
WITHOUT = (
    (re.compile(r"\{%[-+]?\s*cache_each\b.*?%\}", re.DOTALL), "{% for i in x %}"),
    (re.compile(r"\{%[-+]?\s*endcache_each\b.*?%\}", re.DOTALL), "{% endfor %}"),
    (re.compile(r"\{%[-+]?\s*(end)?(cache|nocache)\b.*?%\}", re.DOTALL), ""),
)
EXTENSIONS = ["jinja2.ext.do", "jinja2.ext.loopcontrols"]
OPTIONS: tuple[dict[str, Any], ...] = ({}, {"enable_async": True}, {"autoescape": True})
PAIRS = [
    (
        Environment(  # noqa: S701 - nothing is rendered
            extensions=[*EXTENSIONS, FragmentCacheExtension], **options
        ),
        Environment(extensions=EXTENSIONS, **options),  # noqa: S701 - nothing is rendered
    )
    for options in OPTIONS
]


def text_of(data: atheris.FuzzedDataProvider) -> str:
    """Return a template for the fuzzer's bytes."""
    parts = []
    while data.remaining_bytes():
        kind = data.PickValueInList(["character", "phrase", "word", "word"])
        if kind == "character":
            parts.append(data.ConsumeUnicode(1))
        elif kind == "phrase":
            parts.append(data.PickValueInList(list(PHRASES)))
        else:
            parts.append(f"{data.PickValueInList(WORDS.split())} ")
    return "".join(parts)


def error_of(env: Environment, source: str) -> type[Exception] | None:
    """Return the type of the error that compiling raises, None for none."""
    try:
        env.compile(source)
    except Exception as error:  # noqa: BLE001 - which one, is what is tested
        return type(error)
    return None


def one_input(data: bytes) -> None:
    """Compile one template.

    Raises:
        AssertionError: If another error than a TemplateSyntaxError comes out.
    """
    provider = atheris.FuzzedDataProvider(data)
    tagged, plain = provider.PickValueInList(PAIRS)
    source = text_of(provider)
    error = error_of(tagged, source)
    if error is None or issubclass(error, TemplateSyntaxError):
        return
    without = source
    for pattern, text in WITHOUT:
        without = pattern.sub(text, without)
    if error_of(plain, without) is not error:
        raise AssertionError(f"{error.__name__} for {source!r}")


def main() -> None:
    """Run the fuzzer, with libFuzzer's arguments."""
    # Python warns of some of the code that Jinja generates, such as `1()`.
    warnings.simplefilter("ignore", SyntaxWarning)
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
