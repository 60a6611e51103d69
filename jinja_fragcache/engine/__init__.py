"""Look-ups, and what happens on a miss until its value is stored."""
