"""What rows are: the Examples layout, readers, writers, row hash, codecs and file ranges."""
