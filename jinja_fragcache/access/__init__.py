"""Safe use of any store: what may fail, what must not, and what is counted."""
