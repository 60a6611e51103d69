"""Reads templates: what tags say, and what expressions and statements read and bind."""
