"""The family of components that judge a model."""
