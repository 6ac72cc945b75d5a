"""The contract, in pure functions: no database, no network, no Flask."""
