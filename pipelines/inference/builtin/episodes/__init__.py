"""Episodes in environments with tools: looking around, writing tasks there, and doing them."""
