"""Short digests of template sources and compiled code."""

from functools import lru_cache
from hashlib import sha256
from types import CodeType

# 80 bits, enough to tell the sources of one site apart.
_HEX_DIGITS = 20


def digest(text: str) -> str:
    """Return the first 80 bits of the SHA-256 of a string, as 20 hex digits."""
    # A string may hold lone surrogates, which plain UTF-8 can't encode.
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HEX_DIGITS]


@lru_cache(maxsize=4096)
def code_digest(code: CodeType) -> str:
    """Return a digest of what a function does, whichever file and line it is on.

    It is the same in every process that runs the same versions of Python and Jinja.
    """
    constants = map(_constant_text, code.co_consts)
    parts = [code.co_code.hex(), *constants, *code.co_names, *code.co_freevars]
    return digest("\n".join(map(repr, parts)))


def _constant_text(value: object) -> str:
    """Return a text for a constant in code that is the same in every process."""
    if isinstance(value, CodeType):
        return code_digest(value)
    if isinstance(value, tuple):
        return f"({','.join(map(_constant_text, value))})"
    if isinstance(value, frozenset):
        # Its order differs between processes.
        return f"{{{','.join(sorted(map(_constant_text, value)))}}}"
    return repr(value)
