"""Short digests that tell one source from another."""

from functools import lru_cache
from hashlib import sha256
from types import CodeType

_CHARACTERS = 20


def digest(text: str) -> str:
    """Give 80 bits of a text's SHA-256: enough for the sources of a site."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_CHARACTERS]


@lru_cache(maxsize=4096)
def code_digest(code: CodeType) -> str:
    """Give the digest of what a function does, wherever it stands.

    It is the same in every process with the same versions of Python and Jinja.
    """
    constants = map(_constant, code.co_consts)
    parts = [code.co_code.hex(), *constants, *code.co_names, *code.co_freevars]
    return digest("\n".join(map(repr, parts)))


def _constant(value: object) -> str:
    if isinstance(value, CodeType):
        return code_digest(value)
    if isinstance(value, tuple):
        return f"({','.join(map(_constant, value))})"
    if isinstance(value, frozenset):
        # Its order differs from process to process.
        return f"{{{','.join(sorted(map(_constant, value)))}}}"
    return repr(value)
