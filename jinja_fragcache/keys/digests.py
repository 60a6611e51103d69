"""Short digests of template sources, of functions and of compiled code."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from hashlib import sha256
from types import CodeType
from typing import Any
from weakref import WeakKeyDictionary

# 80 bits, enough to tell the sources of one site apart.
_HEX_DIGITS = 20
#: How many characters `shortened` leaves as they are.
LONGEST = 200
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
    return text if len(text) <= LONGEST else digest(text)


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


def source_digest(function: Callable[..., Any]) -> str:
    """Return a digest of a function's source, "" if it is not written in Python.

    It is of the text, where that can be read, and of what it does.
    """
    code = getattr(inspect.unwrap(function), "__code__", None)
    if not isinstance(code, CodeType):
        return ""
    try:
        text = inspect.getsource(code)
    except (OSError, SyntaxError, TypeError):
        text = ""  # Made by exec(), typed at a prompt, or changed since.
    return digest(f"{code_digest(code)}\n{text}")


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
