r"""Seals: signatures over all that is stored under a key, and the key itself.

    \x1esigned:<43 characters of signature>:1767225600:<p>text ...

The number is when the entry ends, in seconds since 1970, 0 for never. Stores forget
entries by themselves; somebody who writes to the store could keep one for longer.
"""

import hashlib
from collections.abc import Callable, Sequence
from hmac import compare_digest
from typing import Any

from jinja_fragcache.errors import PolicyError
from jinja_fragcache.messages import describe_class, logger
from jinja_fragcache.stores.optional import import_optional

_MARK = "\x1esigned:"
# Of SHA-256, in Base64 without padding.
_SIGNATURE = 43
# Other uses of the same secret, such as Flask's sessions, have other salts.
_SALT = b"jinja_fragcache slot 1"
# Seconds that the clocks of two machines may differ.
_SLACK = 60
# Characters from which a secret is not warned of.
_SHORT = 6
_HOW_TO = "Make one with python -c 'import secrets; print(secrets.token_hex())'"
#: How many bytes a signature adds at most.
SEAL_BYTES = len(_MARK) + _SIGNATURE + len(":17672256000:")


class Seal:
    """Signs texts for keys, and opens only what was signed for the same key.

    Args:
        secrets: A secret text or bytes, or a list of them, oldest first. The last one
            signs; all of them verify.
        clock: Returns the time, in seconds since 1970.

    Attributes:
        clock: See above.

    Raises:
        PolicyError: If there is no secret, or one is empty or neither text nor bytes.
        StoreError: If itsdangerous is not installed.
    """

    def __init__(self, secrets: Any, clock: Callable[[], float]) -> None:
        # The newest first, because it has signed most.
        self._signers = [_Signer(each) for each in reversed(_checked(secrets))]
        self.clock = clock

    def seal(self, key: str, text: str, seconds: int | None) -> str:
        """Return what to store for a text.

        Args:
            key: The key that it will be stored under.
            text: The text.
            seconds: For how long it is stored; 0 for ever, None if that is not known.
        """
        ends = int(self.clock()) + seconds + _SLACK if seconds else 0
        rest = f"{ends}:{text}"
        return f"{_MARK}{self._signers[0].signature(key, rest)}:{rest}"

    def open(self, key: str, stored: object) -> str | None:
        """Return the text that was sealed for a key.

        Args:
            key: The key.
            stored: What the store returned.

        Returns:
            None for anything else: what has no signature, one of another secret, or of
            another key, and what should have ended.
        """
        if type(stored) is not str or not stored.startswith(_MARK):
            return None
        start = len(_MARK) + _SIGNATURE
        signature, colon, rest = (
            stored[len(_MARK) : start],
            stored[start : start + 1],
            stored[start + 1 :],
        )
        if colon != ":" or not signature.isascii():
            return None
        if not any(
            compare_digest(each.signature(key, rest), signature)
            for each in self._signers
        ):
            return None
        ends, _, text = rest.partition(":")
        return text if ends == "0" or self.clock() < int(ends) else None


class _Signer:
    """Signs with one secret."""

    def __init__(self, secret: str | bytes) -> None:
        itsdangerous = import_optional("itsdangerous", "signing")
        signer = itsdangerous.Signer(
            secret, salt=_SALT, key_derivation="hmac", digest_method=hashlib.sha256
        )
        self._algorithm = signer.algorithm
        # Once, and not for each signature, as `signer.get_signature` does: it takes
        # nearly as long as signing 2 kB.
        self._key = signer.derive_key()
        self._encode = itsdangerous.base64_encode

    def signature(self, key: str, rest: str) -> str:
        """Return the signature of a text under a key.

        No two such pairs have the same.
        """
        name = key.encode("utf-8", "surrogatepass")
        content = rest.encode("utf-8", "surrogatepass")
        signed = b"%d:%b%b" % (len(name), name, content)
        made = self._algorithm.get_signature(self._key, signed)
        encoded: bytes = self._encode(made)
        return encoded.decode("ascii")


def _checked(secrets: Any) -> Sequence[str | bytes]:
    """Return secrets as a list.

    Raises:
        PolicyError: As for `Seal`. The message leaves the value out.
    """
    listed = list(secrets) if isinstance(secrets, (list, tuple)) else [secrets]
    if listed and all(isinstance(each, (str, bytes)) and each for each in listed):
        if any(len(each) < _SHORT for each in listed):
            logger.warning(
                "signing_key is shorter than %d characters, so it can be guessed. %s",
                _SHORT,
                _HOW_TO,
            )
        return listed
    raise PolicyError(
        "signing_key",
        _wrong(secrets, listed),
        f"a secret text, or a list of them with the newest last. {_HOW_TO}",
    )


def _wrong(secrets: object, listed: Sequence[object]) -> str:
    """Return what is wrong with secrets, without showing them."""
    is_list = isinstance(secrets, (list, tuple))
    if not any(each in ("", b"") for each in listed) and listed:
        wrong = [each for each in listed if not isinstance(each, (str, bytes))]
        what = describe_class(wrong[0])
        return f"a list with {what} in it" if is_list else what
    return "a list with an empty secret" if is_list and listed else "empty"
