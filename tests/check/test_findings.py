from jinja_fragcache.check.findings import Finding, Report


def finding(code: str) -> Finding:
    return Finding("a.html", 1, code, "a.html", "", "text")


def test_notes_are_no_failures() -> None:
    assert finding("FC001").is_failure
    assert finding("FC005").is_failure
    assert not finding("FC012").is_failure
    assert Report([finding("FC012")]).is_clean
    assert not Report([finding("FC012"), finding("FC001")]).is_clean


def test_findings_are_sorted_by_file_and_line() -> None:
    later = Finding("a.html", 12, "FC001", "a.html", "", "text")
    assert sorted([later, finding("FC011"), finding("FC001")]) == [
        finding("FC001"),
        finding("FC011"),
        later,
    ]
