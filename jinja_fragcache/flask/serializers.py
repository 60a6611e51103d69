"""The serializers of an application's values, some of which are responses."""

import pickle
from base64 import b64decode, b64encode
from typing import Any

from werkzeug.wrappers import Response

from jinja_fragcache.entries import serializers
from jinja_fragcache.entries.json_values import JSONKind, TypedJSON
from jinja_fragcache.entries.values import Serializer
from jinja_fragcache.errors import PolicyError, SettingError

from .responses import RaisedAnswer, response_fields, restore_response

_OPTION = "CACHE_SERIALIZER"


class _Pickler(pickle.Pickler):
    """Pickles responses by their status, headers and body."""

    def reducer_override(self, value: Any) -> Any:
        """Leave Werkzeug's internals of a response out."""
        if isinstance(value, Response):
            return restore_response, tuple(response_fields(value))
        return NotImplemented


class PickleSerializer(serializers.PickleSerializer):
    """Pickles values. Of a response, what a client gets of it."""

    pickler = _Pickler


def _write_response(response: Response) -> list[Any]:
    status, headers, body = response_fields(response)
    return [status, list(map(list, headers)), b64encode(body).decode("ascii")]


def _read_response(parts: Any) -> Response:
    status, headers, body = parts
    return restore_response(status, headers, b64decode(body))


class JSONSerializer(serializers.JSONSerializer):
    """Writes values as JSON, among them responses."""

    json = TypedJSON(
        (
            JSONKind(
                " response",
                Response,
                _write_response,
                _read_response,
                with_subclasses=True,
            ),
            JSONKind(" raised", RaisedAnswer, list, lambda parts: RaisedAnswer(*parts)),
        )
    )

    def __init__(self) -> None:
        super().__init__(_OPTION)


def make_serializer(setting: Any) -> Serializer:
    """Return the serializer that `CACHE_SERIALIZER` names or is.

    Raises:
        SettingError: If it is neither a name nor a serializer.
    """
    known: dict[str, Serializer] = {
        "pickle": PickleSerializer(),
        "json": JSONSerializer(),
    }
    try:
        return serializers.make_serializer(setting, _OPTION, known)
    except PolicyError as error:
        raise SettingError(str(error)) from None
