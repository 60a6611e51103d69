import json
import sys

import pytest

from jinja_fragcache.errors import StoreError
from jinja_fragcache.stores.optional import import_optional


def test_an_installed_module_is_imported() -> None:
    assert import_optional("json", "redis") is json
    assert import_optional("json.decoder", "redis").JSONDecoder is json.JSONDecoder


@pytest.mark.parametrize("missing", ["redis", "redis.cluster"])
def test_a_missing_package_is_an_error_that_names_the_extra(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(StoreError, match=r"package redis .*jinja-fragcache\[mine\]'"):
        import_optional("redis.cluster", "mine")
