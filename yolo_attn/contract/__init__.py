"""What every attention operator keeps to, as checks: `yolo-attn check` runs them on anybody's, the tests on ours.

A check is a function of a `Case` that returns nothing, or raises `Broken` with what is wrong and the mend. `suite.py`
lists them all.
"""
