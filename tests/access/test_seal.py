from hashlib import sha256
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from itsdangerous import Signer, URLSafeSerializer

from jinja_fragcache import FragmentCache
from jinja_fragcache.access.seal import SEAL_BYTES, Seal
from jinja_fragcache.errors import PolicyError, StoreError
from jinja_fragcache.stores import optional
from tests.support import NAMES, Clock

SECRET = "correct horse battery staple"


def sealing(*secrets: str | bytes, clock: Clock | None = None) -> Seal:
    return Seal(list(secrets or [SECRET]), clock or Clock())


@given(NAMES, NAMES, st.sampled_from([0, None, 30]))
def test_a_text_is_opened_under_its_key(
    key: str, text: str, seconds: int | None
) -> None:
    stored = sealing().seal(key, text, seconds)
    assert sealing().open(key, stored) == text
    assert len(stored) - len(text) <= SEAL_BYTES


@given(NAMES, NAMES, NAMES)
def test_a_text_is_not_opened_under_another_key(
    key: str, other: str, text: str
) -> None:
    assume(key != other)
    stored = sealing().seal(key, text, 30)
    assert sealing().open(other, stored) is None


@given(NAMES, NAMES, NAMES)
def test_a_part_of_the_key_never_counts_as_text(key: str, part: str, text: str) -> None:
    stored = sealing().seal(f"{key}0:{part}", text, 0)
    signature = stored.removesuffix(f":0:{text}")
    moved = f"{signature}:0:{part}0:{text}"
    assert sealing().open(key, moved) is None


@given(NAMES, st.data())
def test_nothing_that_was_changed_or_cut_off_is_opened(
    text: str, data: st.DataObject
) -> None:
    stored = sealing().seal("k", text, 30)
    at = data.draw(st.integers(0, len(stored) - 1))
    put = data.draw(st.text(st.characters(codec=None), max_size=2))
    changed = stored[:at] + put + stored[at + 1 :]
    assume(changed != stored)
    assert sealing().open("k", changed) is None
    assert sealing().open("k", stored[:at]) is None
    assert sealing().open("k", put + stored if put else stored + "a") is None


@given(st.none() | st.integers() | st.binary() | NAMES)
def test_what_was_never_sealed_is_not_opened(stored: object) -> None:
    assert sealing().open("k", stored) is None
    if isinstance(stored, str):
        assert sealing().open("k", f"\x1esigned:{'A' * 43}:0:{stored}") is None


@pytest.mark.parametrize(
    "forged",
    [
        lambda text: Signer(SECRET).sign(text).decode(),
        lambda text: str(URLSafeSerializer(SECRET).dumps(text)),
        # As values were signed by earlier versions.
        lambda text: Signer(SECRET, salt=b"jinja_fragcache:signed-json:k").sign(text),
    ],
)
def test_another_use_of_the_same_secret_opens_nothing(forged: Any) -> None:
    assert sealing().open("k", forged("text")) is None
    signature = str(forged("text")).rpartition(".")[2][:43]
    assert sealing().open("k", f"\x1esigned:{signature:A<43}:0:text") is None


def test_the_newest_secret_signs_and_all_verify() -> None:
    old, new = sealing("old"), sealing(b"new")
    both = sealing("old", b"new")
    assert both.open("k", old.seal("k", "1", 0)) == "1"
    assert both.open("k", new.seal("k", "2", 0)) == "2"
    assert both.seal("k", "3", 0) == new.seal("k", "3", 0)
    assert old.open("k", both.seal("k", "4", 0)) is None


def test_the_signature_is_that_of_itsdangerous() -> None:
    signer = Signer(
        SECRET,
        salt=b"jinja_fragcache slot 1",
        key_derivation="hmac",
        digest_method=sha256,
    )
    signature = signer.get_signature("1:k0:text").decode()
    assert sealing().seal("k", "text", 0) == f"\x1esigned:{signature}:0:text"


def test_one_secret_is_the_same_as_a_list_of_one() -> None:
    one, listed = Seal(SECRET, Clock()), Seal([SECRET.encode()], Clock())
    assert one.seal("k", "text", 0) == listed.seal("k", "text", 0)


@pytest.mark.parametrize("seconds", [0, None, 30])
def test_a_text_is_not_opened_for_longer_than_it_was_to_be_stored(
    seconds: int | None,
) -> None:
    clock = Clock()
    stored = sealing(clock=clock).seal("k", "text", seconds)
    # The clocks of two machines may differ by a minute.
    clock.now += 30 + 59
    assert sealing(clock=clock).open("k", stored) == "text"
    clock.now += 1
    late = sealing(clock=clock).open("k", stored)
    assert late == (None if seconds else "text")


@pytest.mark.parametrize("secret", ["", b"", [], [""], ["hush", None], 5, {"hush"}])
def test_the_error_of_a_wrong_secret_hides_it(secret: Any) -> None:
    with pytest.raises(PolicyError, match=r"signing_key can't be .* a secret text"):
        Seal(secret, Clock())
    with pytest.raises(PolicyError, match="signing_key can't be") as raised:
        FragmentCache(signing_key=secret)
    assert "hush" not in str(raised.value)


def test_without_itsdangerous_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(optional, "import_module", _missing)
    with pytest.raises(StoreError, match=r"itsdangerous .*jinja-fragcache\[signing\]"):
        FragmentCache(signing_key=SECRET)


def _missing(name: str) -> Any:
    raise ImportError(name)


def test_no_repr_shows_the_secret() -> None:
    cache = FragmentCache(signing_key=SECRET)
    shown = [cache, cache.policy, cache.engine, cache.engine.context.store]
    shown += [vars(cache), cache.__reduce__()]
    assert SECRET not in repr(shown)


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ("", "be empty"),
        ([], "be empty"),
        (["a", ""], "be a list with an empty secret"),
        ([None], "be a list with None in it"),
        (["a", 5], "be a list with an object of int in it"),
    ],
)
def test_an_empty_secret_is_called_so(secret: Any, told: str) -> None:
    with pytest.raises(PolicyError, match=f"signing_key can't {told}"):
        Seal(secret, Clock())


@pytest.mark.parametrize(("secret", "lines"), [("x", 1), (b"x", 1), ("x" * 32, 0)])
def test_a_short_secret_is_warned_of(
    secret: Any, lines: int, caplog: pytest.LogCaptureFixture
) -> None:
    Seal(secret, Clock())
    told = "shorter than 6 characters, so it can be guessed. Make one with python -c"
    assert [told in each for each in caplog.messages] == [True] * lines
