"""Input that nobody meant, made by hypothesis in every run and, with `python -m tests.fuzz`, by atheris for longer."""
