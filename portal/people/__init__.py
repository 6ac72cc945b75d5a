"""People and access: companies, users, passwords, one-time links, log-in, the second factor and API tokens.

Everything here belongs to the caller's transaction; nobody here commits.
"""
