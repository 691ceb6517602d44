"""The command line of a script here."""

import argparse


def parser(document: str | None) -> argparse.ArgumentParser:
    """Returns a parser whose `--help` is the script's docstring as it stands, and then the options."""
    return argparse.ArgumentParser(description=document, formatter_class=argparse.RawDescriptionHelpFormatter)
