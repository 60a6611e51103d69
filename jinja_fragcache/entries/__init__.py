"""Entries, which are what a store keeps, and whether they may be served."""
