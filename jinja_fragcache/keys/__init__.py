"""From names and values to keys."""
