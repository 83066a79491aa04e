"""Training components: Trainer and the model contract."""
