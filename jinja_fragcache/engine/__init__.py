"""What happens on a miss, from the look-up to the write."""
