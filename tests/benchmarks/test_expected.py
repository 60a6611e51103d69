from benchmarks.transparency.expected import expected_differences, names_listed
from benchmarks.transparency.running import Run
from benchmarks.transparency.tagging import Way


def test_each_difference_has_a_reason_and_is_listed_once() -> None:
    differences = expected_differences()
    assert all(each.reason and each.names and each.ways for each in differences)
    for subject in {each.subject for each in differences}:
        for way in Way:
            for is_warm in (False, True):
                names = list(names_listed(differences, subject, Run(way, is_warm)))
                assert len(names) == len(set(names))


def test_nothing_is_expected_to_differ_without_tags() -> None:
    assert not any(Way.EXTENSION in each.ways for each in expected_differences())
