"""Finishing what `yolo export` writes: parity with PyTorch before a file counts."""
