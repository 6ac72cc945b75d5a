"""Long work in the background: kept in the database, done by a worker in chunks."""
