"""Serializers, which turn values that are not strings into strings and back."""

import io
import json
import pickle
from base64 import b64decode, b64encode
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from flask.json import tag
from werkzeug.wrappers import Response

from jinja_fragcache.entries.values import Serializer
from jinja_fragcache.errors import SerializationError, SettingError
from jinja_fragcache.messages import (
    class_name,
    describe,
    describe_class,
    describe_error,
)

from .responses import RaisedAnswer, response_fields, restore_response


class _Pickler(pickle.Pickler):
    """Pickles responses by their status, headers and body."""

    def reducer_override(self, value: Any) -> Any:
        """Leave Werkzeug's internals of a response out."""
        if isinstance(value, Response):
            return restore_response, tuple(response_fields(value))
        return NotImplemented


class PickleSerializer:
    """Pickles values: nearly any object. Who can write to the store can run code.

    Attributes:
        form: The name under which entries are stored.
    """

    form = "pickle"

    def dumps(self, value: Any) -> str:
        """Return the pickled value in Base64.

        Raises:
            SerializationError: If the value can't be pickled.
        """
        pickled = io.BytesIO()
        try:
            _Pickler(pickled, pickle.HIGHEST_PROTOCOL).dump(value)
        except Exception as error:  # noqa: BLE001 - objects may raise anything
            raise _refusal(
                "{} can't be kept, since it can't be pickled: {}. Cache what it is made"
                " of instead.",
                value,
                error,
            ) from None
        return b64encode(pickled.getbuffer()).decode("ascii")

    def loads(self, text: str) -> Any:
        """Return the unpickled value.

        Raises:
            Exception: If it can't be unpickled.
        """
        return pickle.loads(b64decode(text, validate=True))  # noqa: S301 - users chose it


class _TagText(tag.JSONTag):
    """Writes the values of a type as strings.

    Attributes:
        kind: The type.
    """

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


class _TagRaised(tag.JSONTag):
    key = " raised"

    def check(self, value: Any) -> bool:
        return isinstance(value, RaisedAnswer)

    def to_json(self, value: Any) -> Any:
        return [self.serializer.tag(each) for each in value]

    def to_python(self, value: Any) -> Any:
        return RaisedAnswer(*value)


class _TaggedJSON(tag.TaggedJSONSerializer):
    default_tags = [  # noqa: RUF012 - this is how Flask declares it
        tag.TagDict,
        tag.PassDict,
        _TagRaised,  # before the tuples, since it is one
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

    # Flask's own functions can be changed by the application, and they sort keys.
    def dumps(self, value: Any) -> str:
        return json.dumps(self.tag(value), separators=(",", ":"))

    def loads(self, value: str) -> Any:
        return json.loads(value, object_hook=self.untag)


class JSONSerializer:
    """Writes values as JSON, and refuses those that would come back changed.

    Besides strings, numbers, booleans, None, lists, and dictionaries with string keys,
    it takes tuples, bytes, Markup, UUID, Decimal, date, datetime and responses.

    Attributes:
        form: The name under which entries are stored.
    """

    form = "json"
    _json = _TaggedJSON()

    def dumps(self, value: Any) -> str:
        """Return the value as JSON.

        Raises:
            SerializationError: If the value would come back changed.
        """
        try:
            text = self._json.dumps(value)
            unchanged = _is_same(value, self._json.loads(text))
        except Exception:  # noqa: BLE001 - objects may raise anything
            unchanged = False
        if not unchanged:
            raise _refusal(
                "{} can't be kept as JSON: something in it has a type that JSON lacks,"
                " or a key is not a string. Cache a simpler value, or set"
                " CACHE_SERIALIZER to 'pickle'.",
                value,
            )
        return text

    def loads(self, text: str) -> Any:
        """Return the value of a JSON string.

        Raises:
            Exception: If it can't be read.
        """
        return self._json.loads(text)


def _is_same(value: Any, read: Any) -> bool:
    """Return whether a value came back unchanged.

    Args:
        value: The value.
        read: What was read back.
    """
    if isinstance(value, Response):
        return isinstance(read, Response)
    if type(value) is not type(read):
        return False
    if isinstance(value, dict):
        # The order counts, since templates loop over dictionaries.
        return _is_same(list(value.items()), list(read.items()))
    if isinstance(value, (list, tuple)):
        return len(value) == len(read) and all(map(_is_same, value, read))
    if isinstance(value, (str, bytes)):
        return bool(value == read)
    # Equal times may differ in their time zone or fold, and NaN doesn't equal itself.
    return repr(value) == repr(read)


class CustomSerializer:
    """Adapts a serializer of the user.

    Args:
        inner: An object with `dumps(value)`, which returns a string or bytes, and
            `loads(made)`.

    Attributes:
        form: The name under which entries are stored.
    """

    form = "own"

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def dumps(self, value: Any) -> str:
        """Return what the user's serializer made, marked as text or bytes.

        Raises:
            SerializationError: If the serializer raised, or made something else.
        """
        try:
            made = self._inner.dumps(value)
        except Exception as error:  # noqa: BLE001 - serializers may raise anything
            raise _refusal(
                "{} can't be kept: CACHE_SERIALIZER said {}.", value, error
            ) from None
        if isinstance(made, str):
            return f"text:{made}"
        if isinstance(made, bytes):
            return "bytes:" + b64encode(made).decode("ascii")
        # cachelib's serializers return None for values that they can't keep.
        message = (
            "{} can't be kept: CACHE_SERIALIZER made it {}, and not text or bytes."
        )
        raise SerializationError(
            message.format(describe(value), describe(made)),
            for_log=message.format(describe_class(value), describe_class(made)),
        )

    def loads(self, text: str) -> Any:
        """Return what the user's serializer reads.

        Raises:
            ValueError: If the string is marked neither as text nor as bytes.
            Exception: If the user's serializer can't read it.
        """
        kind, colon, made = text.partition(":")
        if kind + colon == "text:":
            return self._inner.loads(made)
        if kind + colon == "bytes:":
            return self._inner.loads(b64decode(made, validate=True))
        raise ValueError("it is neither text nor bytes of CACHE_SERIALIZER")


def _refusal(
    message: str, value: Any, error: Exception | None = None
) -> SerializationError:
    """Return an error.

    Args:
        message: The message, with `{}` where the value and the error stand.
        value: The value. Logs show its class only.
        error: What was raised. Logs show its class only, because it may show the value.
    """
    shown, logged = [describe(value)], [describe_class(value)]
    if error is not None:
        shown.append(describe_error(error))
        logged.append(class_name(error))
    return SerializationError(message.format(*shown), for_log=message.format(*logged))


def make_serializer(setting: Any) -> Serializer:
    """Return the serializer that `CACHE_SERIALIZER` names or is.

    Raises:
        SettingError: If it is neither a name nor a serializer.
    """
    known: dict[str, type[Serializer]] = {
        "pickle": PickleSerializer,
        "json": JSONSerializer,
    }
    if isinstance(setting, str) and setting in known:
        return known[setting]()
    if setting is pickle or setting is json:
        return known[setting.__name__]()
    if isinstance(setting, type):
        try:
            setting = setting()
        except TypeError as error:
            raise SettingError(
                f"CACHE_SERIALIZER can't be {describe(setting)}: {error}."
                " Give an object of it."
            ) from None
    if callable(getattr(setting, "dumps", None)) and callable(
        getattr(setting, "loads", None)
    ):
        return CustomSerializer(setting)
    raise SettingError(
        f"CACHE_SERIALIZER can't be {describe(setting)}. It is 'pickle', 'json', or an"
        " object with dumps(value) and loads(made)."
    )
