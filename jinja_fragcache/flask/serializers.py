"""How values that are no texts are made texts, and read back."""

import io
import json
import pickle
from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from flask.json import tag
from itsdangerous import BadSignature, Signer
from werkzeug.wrappers import Response

from jinja_fragcache.entries.values import Serializer
from jinja_fragcache.errors import SerializationError, SettingError
from jinja_fragcache.messages import describe

from .responses import response_fields, restore_response


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        """Keep what a response says, not how Werkzeug keeps it."""
        if isinstance(value, Response):
            return restore_response, tuple(response_fields(value))
        return NotImplemented


class PickleSerializer:
    """Keeps nearly any object. Whoever can write to the store can run code."""

    form = "pickle"

    def dumps(self, key: str, value: Any) -> str:  # noqa: ARG002 - Serializer's form
        """Do as `Serializer.dumps`."""
        pickled = io.BytesIO()
        try:
            _Pickler(pickled, pickle.HIGHEST_PROTOCOL).dump(value)
        except Exception as error:  # noqa: BLE001 - objects raise what they like
            raise SerializationError(
                f"{describe(value)} can't be kept, since it can't be pickled: {error}."
                " Cache what it is made of instead."
            ) from None
        return b64encode(pickled.getbuffer()).decode("ascii")

    def loads(self, key: str, text: str) -> Any:  # noqa: ARG002 - Serializer's form
        """Do as `Serializer.loads`."""
        return pickle.loads(b64decode(text, validate=True))  # noqa: S301 - what users chose


class _TagText(tag.JSONTag):
    """A value that is kept by its text."""

    kind: type

    def check(self, value: Any) -> bool:
        return type(value) is self.kind

    def to_json(self, value: Any) -> Any:
        return str(value)

    def to_python(self, value: Any) -> Any:
        return self.kind(value)


class _TagDecimal(_TagText):
    key = " dec"
    kind = Decimal


class _TagDate(_TagText):
    key = " date"
    kind = date

    def to_python(self, value: Any) -> Any:
        return self.kind.fromisoformat(value)


class _TagDateTime(_TagDate):
    key = " time"
    kind = datetime


class _TagResponse(tag.JSONTag):
    key = " response"

    def check(self, value: Any) -> bool:
        return isinstance(value, Response)

    def to_json(self, value: Any) -> Any:
        status, headers, body = response_fields(value)
        return [status, headers, b64encode(body).decode("ascii")]

    def to_python(self, value: Any) -> Any:
        status, headers, body = value
        return restore_response(status, headers, b64decode(body))


class _TaggedJSON(tag.TaggedJSONSerializer):
    default_tags = [  # noqa: RUF012 - this is how Flask declares it
        tag.TagDict,
        tag.PassDict,
        tag.TagTuple,
        tag.PassList,
        tag.TagBytes,
        tag.TagMarkup,
        tag.TagUUID,
        _TagDecimal,
        _TagDate,
        _TagDateTime,
        _TagResponse,
    ]

    # Not by Flask's functions, which an application may change, and which sort keys.
    def dumps(self, value: Any) -> str:
        return json.dumps(self.tag(value), separators=(",", ":"))

    def loads(self, value: str) -> Any:
        return json.loads(value, object_hook=self.untag)


class JSONSerializer:
    """Keeps what JSON has, and some more, and refuses what would come back changed.

    Besides texts, numbers, booleans, None, lists, and dictionaries with texts as keys:
    tuples, bytes, Markup, UUID, Decimal, date, datetime and responses.
    """

    form = "json"
    _json = _TaggedJSON()

    def dumps(self, key: str, value: Any) -> str:  # noqa: ARG002 - Serializer's form
        """Do as `Serializer.dumps`."""
        try:
            text = self._json.dumps(value)
            same = _same(value, self._json.loads(text))
        except Exception:  # noqa: BLE001 - objects raise what they like
            same = False
        if not same:
            raise SerializationError(
                f"{describe(value)} can't be kept as JSON: something in it is of a type"
                " that JSON has not, or a key that is no text. Cache a simpler value,"
                " or set CACHE_SERIALIZER to 'pickle'."
            )
        return text

    def loads(self, key: str, text: str) -> Any:  # noqa: ARG002 - Serializer's form
        """Do as `Serializer.loads`."""
        return self._json.loads(text)


def _same(value: Any, read: Any) -> bool:
    """Tell whether a value was read back as what it was."""
    if isinstance(value, Response):
        return isinstance(read, Response)
    if type(value) is not type(read):
        return False
    if isinstance(value, dict):
        # In their order, in which a template goes through them.
        return _same(list(value.items()), list(read.items()))
    if isinstance(value, (list, tuple)):
        return len(value) == len(read) and all(map(_same, value, read))
    if isinstance(value, (str, bytes)):
        return bool(value == read)
    # Equal times may differ in their time zone or fold, and NaN does not equal itself.
    return repr(value) == repr(read)


class SignedSerializer:
    """Signs what another serializer makes, and reads nothing that it did not sign.

    The signature holds for one key: what was signed for one is not read under another.

    Args:
        inner: the other serializer.
        keys: the secret keys, the oldest first. The last one signs.
    """

    def __init__(self, inner: Serializer, keys: list[str | bytes]) -> None:
        self.form = f"signed-{inner.form}"
        self._inner = inner
        self._keys = [key.encode() if isinstance(key, str) else key for key in keys]

    def dumps(self, key: str, value: Any) -> str:
        """Do as `Serializer.dumps`."""
        text = self._inner.dumps(key, value).encode("utf-8", "surrogatepass")
        return self._signer(key).sign(text).decode("utf-8", "surrogatepass")

    def loads(self, key: str, text: str) -> Any:
        """Do as `Serializer.loads`."""
        signed = None
        with suppress(BadSignature):
            signed = self._signer(key).unsign(text.encode("utf-8", "surrogatepass"))
        if signed is None:
            # Raised out here, since itsdangerous tells the signature, which is
            # nobody's business, not even in an error's context.
            raise ValueError("it is not signed with CACHE_SIGNING_KEY")
        return self._inner.loads(key, signed.decode("utf-8", "surrogatepass"))

    def _signer(self, key: str) -> Signer:
        salt = f"jinja_fragcache:{self.form}:{key}".encode("utf-8", "surrogatepass")
        return Signer(self._keys, salt=salt)


class OwnSerializer:
    """A serializer that users bring: anything with `dumps(value)` and `loads(made)`.

    Args:
        theirs: what they bring. What its `dumps` gives is text or bytes.
    """

    form = "own"

    def __init__(self, theirs: Any) -> None:
        self._theirs = theirs

    def dumps(self, key: str, value: Any) -> str:  # noqa: ARG002 - Serializer's form
        """Do as `Serializer.dumps`."""
        try:
            made = self._theirs.dumps(value)
        except Exception as error:  # noqa: BLE001 - serializers raise what they like
            raise SerializationError(
                f"{describe(value)} can't be kept: CACHE_SERIALIZER said"
                f" {type(error).__name__}: {error}."
            ) from None
        if isinstance(made, str):
            return f"text:{made}"
        if isinstance(made, bytes):
            return "bytes:" + b64encode(made).decode("ascii")
        # cachelib's serializers give None for what they can't keep.
        raise SerializationError(
            f"{describe(value)} can't be kept: CACHE_SERIALIZER made it"
            f" {describe(made)}, and not text or bytes."
        )

    def loads(self, key: str, text: str) -> Any:  # noqa: ARG002 - Serializer's form
        """Do as `Serializer.loads`."""
        kind, colon, made = text.partition(":")
        if kind + colon == "text:":
            return self._theirs.loads(made)
        if kind + colon == "bytes:":
            return self._theirs.loads(b64decode(made, validate=True))
        raise ValueError("it is neither text nor bytes of CACHE_SERIALIZER")


def make_serializer(settings: Mapping[str, Any]) -> Serializer:
    """Make what `CACHE_SERIALIZER` and `CACHE_SIGNING_KEY` describe.

    Raises:
        SettingError: one of them has a value that is not allowed.
    """
    serializer = _chosen(settings["CACHE_SERIALIZER"])
    keys = settings["CACHE_SIGNING_KEY"]
    if keys is None:
        return serializer
    keys = list(keys) if isinstance(keys, (list, tuple)) else [keys]
    if not keys or not all(isinstance(key, (str, bytes)) and key for key in keys):
        # Not the value, which is a secret.
        raise SettingError(
            "CACHE_SIGNING_KEY is a secret text, or a list of them with the newest one"
            " last. Make one with python -c 'import secrets;"
            " print(secrets.token_hex())'."
        )
    return SignedSerializer(serializer, keys)


def _chosen(named: Any) -> Serializer:
    known: dict[str, type[Serializer]] = {
        "pickle": PickleSerializer,
        "json": JSONSerializer,
    }
    if isinstance(named, str) and named in known:
        return known[named]()
    if named is pickle or named is json:
        return known[named.__name__]()
    if isinstance(named, type):
        named = named()
    if callable(getattr(named, "dumps", None)) and callable(
        getattr(named, "loads", None)
    ):
        return OwnSerializer(named)
    raise SettingError(
        f"CACHE_SERIALIZER can't be {describe(named)}. It is 'pickle', 'json', or an"
        " object with dumps(value) and loads(made)."
    )
