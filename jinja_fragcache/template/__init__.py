"""Compiles the tags of a template to Jinja nodes."""
