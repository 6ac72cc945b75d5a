"""The worker: it sends what is due, does long work, and tells people."""
