"""Does attention help, which layer is worth its time, and what does it look at? `compare`, `ablate` and `maps`."""
