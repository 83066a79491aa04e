"""Components that describe examples, infer or import their schema, and refuse examples that break it."""
