"""Turns the names and key values of fragments into keys."""
