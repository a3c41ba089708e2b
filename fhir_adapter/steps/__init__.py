"""What a verb of flow.py does across rooms, one noun a file (docs/decisions/0001)."""
