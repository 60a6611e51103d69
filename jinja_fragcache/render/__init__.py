"""Render time: what compiled templates call."""
