"""Short digests of template sources and compiled code."""

from hashlib import sha256
from types import CodeType
from weakref import WeakKeyDictionary

# 80 bits, enough to tell the sources of one site apart.
_HEX_DIGITS = 20
_LONGEST = 200
# As long as the code itself lives: that of templates goes when they are compiled again.
_known: WeakKeyDictionary[CodeType, str] = WeakKeyDictionary()


def digest(text: str) -> str:
    """Return the first 80 bits of the SHA-256 of a string, as 20 hex digits."""
    # A string may hold lone surrogates, which plain UTF-8 can't encode.
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HEX_DIGITS]


def shortened(text: str) -> str:
    """Return a text of up to 200 characters, or the digest of a longer one.

    What is remembered under it takes a bounded number of bytes.
    """
    return text if len(text) <= _LONGEST else digest(text)


def code_digest(code: CodeType) -> str:
    """Return a digest of what a function does, whichever file and line it is on.

    It is the same in every process that runs the same versions of Python and Jinja.
    """
    known = _known.get(code)
    if known is None:
        constants = map(_constant_text, code.co_consts)
        parts = [code.co_code.hex(), *constants, *code.co_names, *code.co_freevars]
        known = _known[code] = digest("\n".join(map(repr, parts)))
    return known


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
