"""Clients of the application over real SQLite databases."""

from builders.served_clients import client, client_of, scored, scored_client, store

__all__ = ["client", "client_of", "scored", "scored_client", "store"]
