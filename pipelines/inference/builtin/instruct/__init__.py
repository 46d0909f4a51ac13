"""Instructions without one right answer: posing them, answering them, and judging answers by a rubric."""
