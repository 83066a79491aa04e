"""Statistics, anomalies and schemas as one self-contained page, for a browser or a notebook."""
