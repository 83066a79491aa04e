"""The family of components that bring a model to where it is served."""
