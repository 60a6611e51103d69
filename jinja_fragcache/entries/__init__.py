"""What is stored: the text of an entry, and whether it may be served."""
