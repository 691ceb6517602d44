"""Model files as people write them: classic and new bases with attention put in by hand, and files with a fault.

Each is the text of a YAML file, with what happens to it: how its attention is read where it is built, which rows are
warned of, or the line that refuses it.
"""

from tests.support.corpus.faults import FAULTS
from tests.support.corpus.modules import MODULES
from tests.support.corpus.rows import ROWS
from tests.support.corpus.wiring import WIRING

CORPUS = {**ROWS, **FAULTS, **WIRING, **MODULES}
assert len(CORPUS) == len(ROWS) + len(FAULTS) + len(WIRING) + len(MODULES)
