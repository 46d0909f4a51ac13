"""Programming tasks: posing them, writing programs and tests for them, repairing programs. Nothing is executed."""
