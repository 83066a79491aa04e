"""The command: `penstock`."""
