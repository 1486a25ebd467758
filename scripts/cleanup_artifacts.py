"""Remove damaged artifacts, so that the base pass makes them again.

    python scripts/cleanup_artifacts.py --corrupted-only --dry-run

The same as `meta-spliceai artifacts clean`; --help lists the other options.
"""

import sys

from meta_spliceai.cli import main

if __name__ == "__main__":
    main(["artifacts", "clean", *sys.argv[1:]])
