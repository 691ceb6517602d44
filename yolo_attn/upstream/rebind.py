"""Replacing a function of Ultralytics wherever one of its modules holds it by name."""

import sys


def rebind(old, new) -> None:
    """Puts `new` in place of `old` in every loaded module of Ultralytics; `rebind(new, old)` undoes it.

    Many modules bind functions of others at import, so that replacing the definition alone would reach only some of
    the callers. Modules that are imported later bind what stands in the definition's module, which is `new` then.
    """
    for name, module in list(sys.modules.items()):
        if name == "ultralytics" or name.startswith("ultralytics."):
            for attribute, value in list(vars(module).items()):
                if value is old:
                    setattr(module, attribute, new)
