import pytest

from jinja_fragcache.inspector.hosts import is_local


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:5000",
        "LOCALHOST",
        "localhost.",
        "app.localhost:80",
        "127.0.0.1",
        "127.0.0.1:5000",
        "127.3.2.1",
        "[::1]",
        "[::1]:5000",
    ],
)
def test_names_of_this_machine_are_local(host: str) -> None:
    assert is_local(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.com",
        "localhost.example.com",
        "notlocalhost",
        "127.0.0.1.example.com",
        "192.168.1.7:5000",
        "10.0.0.1",
        "[2001:db8::1]:5000",
        "[::1].example.com",
        "localhost@example.com",
        "2130706433",
    ],
)
def test_other_names_are_not_whatever_they_lead_to(host: str) -> None:
    assert not is_local(host)
