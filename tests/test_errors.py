from jinja_fragcache import FragmentCacheError, PolicyError, errors


def test_a_policy_error_names_the_option_and_what_it_takes() -> None:
    error = PolicyError("stale", "'x' (str)", "a number of seconds")
    assert str(error) == "stale can't be 'x' (str). It is a number of seconds."
    assert error.name == "stale"
    assert isinstance(error, ValueError)


def test_every_error_is_a_fragment_cache_error() -> None:
    kinds = [each for each in vars(errors).values() if isinstance(each, type)]
    own = [each for each in kinds if each.__module__ == errors.__name__]
    assert len(own) > 5
    assert all(issubclass(each, FragmentCacheError) for each in own)
