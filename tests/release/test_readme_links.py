import pytest

from tests.release.readme_links import AddressError, with_absolute_links

AT = "https://host.test/owner/name"


@pytest.mark.parametrize(
    ("link", "made"),
    [
        ("[a](docs/tag.md)", f"[a]({AT}/blob/main/docs/tag.md)"),
        ("[a\nb](docs/tag.md#x)", f"[a\nb]({AT}/blob/main/docs/tag.md#x)"),
        ("[a](#install)", f"[a]({AT}/blob/main/README.md#install)"),
        ("![a](docs/a.png)", f"![a]({AT}/raw/main/docs/a.png)"),
        (
            "[![a](docs/a.svg)](docs/a.md)",
            f"[![a]({AT}/raw/main/docs/a.svg)]({AT}/blob/main/docs/a.md)",
        ),
        ("[a](https://b.test/c)", "[a](https://b.test/c)"),
        ("[a](mailto:b@c.test)", "[a](mailto:b@c.test)"),
        ("```python\nrows[0](docs)\n```\n", "```python\nrows[0](docs)\n```\n"),
    ],
)
def test_links_to_files_become_absolute(link: str, made: str) -> None:
    assert with_absolute_links(link, f"{AT}/blob/main/docs") == made


def test_other_hosts_name_files_otherwise() -> None:
    text = "![a](docs/a.png) [b](LICENSE)"
    documentation = f"{AT}/src/branch/main/docs"
    assert with_absolute_links(text, documentation) == (
        f"![a]({AT}/raw/branch/main/docs/a.png) [b]({AT}/src/branch/main/LICENSE)"
    )


@pytest.mark.parametrize("url", [AT, f"{AT}/blob/main", "https://pages.test/docs"])
def test_an_address_that_is_no_folder_of_a_repository_is_refused(url: str) -> None:
    with pytest.raises(AddressError, match="/blob/main/docs"):
        with_absolute_links("[a](docs/tag.md)", url)
