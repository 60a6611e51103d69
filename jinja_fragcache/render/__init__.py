"""What compiled templates call."""
