"""Mathematics that operators share, on tensors alone: eager, and for CUDA its twins in `triton/`."""
