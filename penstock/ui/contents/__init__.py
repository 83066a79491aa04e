"""What is inside an artifact, for the terminal: one module a type, imported on first use."""
