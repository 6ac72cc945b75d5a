"""The delivery log: read, sent again, and counted."""
