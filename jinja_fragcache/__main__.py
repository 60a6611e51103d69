"""Runs the command line: `python -m jinja_fragcache`."""

from .cli import main

# Processes that the check starts import this module, too.
if __name__ == "__main__":
    main()
