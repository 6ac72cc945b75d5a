"""What every call of the API stands on."""
