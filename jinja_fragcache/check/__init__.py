"""Reads templates without rendering them, and finds fragments whose keys lack a value.

Nothing here imports Flask or what the command line needs.
"""
