"""What a company sets: its endpoint and its inspector."""
