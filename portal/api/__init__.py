"""REST API v1: JSON in, values down to the use cases, JSON out."""

from flask import Flask


def register_api(app: Flask) -> None:
    """Tie the API to the application."""
