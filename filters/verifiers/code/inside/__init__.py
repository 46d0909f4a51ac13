"""Programs that run in a sandbox; `confine` gives them there as text, so they import only the standard library."""
