"""What caches do, as events and reports, and who is told of them."""
