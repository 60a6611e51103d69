"""Safe use of any store: one adapter, a circuit breaker, and counters."""
