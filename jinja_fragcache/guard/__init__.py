"""What a body reads of the request, and what its key names of it."""
