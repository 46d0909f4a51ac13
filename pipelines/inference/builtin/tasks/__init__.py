"""Varied tasks: adding to a list of them, instances of them, making them harder, and saying yes or no about them."""
