"""What the guard knows of web frameworks. None of them is imported here."""
