"""`python -m yolo_attn.cli`: the command, where its script is not on the PATH."""

import sys

from yolo_attn.cli import main

sys.exit(main())
