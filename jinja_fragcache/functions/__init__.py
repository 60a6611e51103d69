"""Decorated functions: the keys of their calls, their options and their values."""
