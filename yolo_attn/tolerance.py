"""The one table of tolerances: how far two computations of the same thing may lie apart, by the coarser dtype.

An error is the largest difference over the largest magnitude of what is compared, and over 1 where that is smaller.
"""

TOLERANCE = {"float64": 1e-9, "float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2}
