"""Data YAMLs, and the generator of the built-in set (`shapes.py`)."""
