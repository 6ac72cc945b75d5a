"""What the demonstration shows: people and contacts that do not exist, and a receiver with moods."""
