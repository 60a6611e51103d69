"""The threads and tasks in which values are made that nobody waits for."""
