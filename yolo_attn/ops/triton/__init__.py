"""The Triton twins of what operators compute, for training steps on CUDA. Loaded where they run alone."""
