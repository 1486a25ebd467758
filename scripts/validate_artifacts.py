"""Check the artifacts of a base pass.

    python scripts/validate_artifacts.py --list-corrupted

The same as `meta-spliceai artifacts validate`; --help lists the other options.
"""

import sys

from meta_spliceai.cli import main

if __name__ == "__main__":
    main(["artifacts", "validate", *sys.argv[1:]])
