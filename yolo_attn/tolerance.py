"""The one table of tolerances: how far two computations of the same thing may lie apart, by the coarser dtype.

An error is the largest difference over the largest magnitude of what is compared, and over 1 where that is smaller.
"""

TOLERANCE = {"float64": 1e-9, "float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2}

# Of an exported file, against a run in float64: so many times the error that PyTorch itself makes there in the file's
# precision, which rounding explains and which differs from picture to picture; that counts as at least so much.
TIMES = 10
OWN = {"float32": 5e-7, "float16": 1e-3}


def allowed(own: float, dtype: str) -> float:
    """Returns the error that a file may have where PyTorch's own is `own`."""
    return TIMES * max(own, OWN[dtype])
