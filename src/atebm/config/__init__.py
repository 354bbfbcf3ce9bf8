"""config.yaml as types: its sections, how files inherit from each other, and where each value was written."""
