"""Posing problems. Shares no code with `solve`, so that agreement between the two means something."""
