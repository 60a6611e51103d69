"""Signed values: nothing is read that was not signed with `CACHE_SIGNING_KEY`."""

from contextlib import suppress
from typing import Any

from itsdangerous import BadSignature, Signer

from jinja_fragcache.entries.values import Serializer


class SignedSerializer:
    """Signs the strings of another serializer, and reads only strings that are signed.

    A signature is valid for one key in the store. An entry that is copied to another
    key is not read.

    Args:
        inner: The other serializer.
        keys: The secret keys, oldest first. The last one signs; all of them verify.

    Attributes:
        form: The name under which entries are stored.
    """

    def __init__(self, inner: Serializer, keys: list[str | bytes]) -> None:
        self.form = f"signed-{inner.form}"
        self._inner = inner
        self._keys = [key.encode() if isinstance(key, str) else key for key in keys]

    def dumps(self, key: str, value: Any) -> str:
        """Return the other serializer's string with a signature.

        Raises:
            SerializationError: If the other serializer can't keep the value.
        """
        text = self._inner.dumps(key, value).encode("utf-8", "surrogatepass")
        return self._signer(key).sign(text).decode("utf-8", "surrogatepass")

    def loads(self, key: str, text: str) -> Any:
        """Verify the signature and return the value.

        Raises:
            ValueError: If the string is not signed with one of the keys.
            Exception: If the other serializer can't read it.
        """
        signed = None
        with suppress(BadSignature):
            signed = self._signer(key).unsign(text.encode("utf-8", "surrogatepass"))
        if signed is None:
            # Raised outside of the `with` block: the error of itsdangerous contains the
            # right signature, which must not show up even as an error's context.
            raise ValueError("it is not signed with CACHE_SIGNING_KEY")
        return self._inner.loads(key, signed.decode("utf-8", "surrogatepass"))

    def _signer(self, key: str) -> Signer:
        salt = f"jinja_fragcache:{self.form}:{key}".encode("utf-8", "surrogatepass")
        return Signer(self._keys, salt=salt)
