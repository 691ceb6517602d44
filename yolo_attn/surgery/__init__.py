"""Surgery on model dicts: reading rows, finding places, putting attention in and taking it out. Pure functions."""
