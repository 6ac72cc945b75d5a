"""The database: its engine, its schema, its upgrades and its backups."""
