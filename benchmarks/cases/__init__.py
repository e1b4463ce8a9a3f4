"""Published numbers, one module for each room of properties."""
