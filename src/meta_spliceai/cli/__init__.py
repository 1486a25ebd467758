"""The command line: parses, calls one library function, prints what it returned."""

from meta_spliceai.cli.app import main

__all__ = ["main"]
