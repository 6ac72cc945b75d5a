"""People and access: who may log in, and how. Everything belongs to the caller's transaction."""
