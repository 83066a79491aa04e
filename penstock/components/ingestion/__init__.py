"""Steps that bring data in: examples from files and tables."""
