"""The Transform component."""
