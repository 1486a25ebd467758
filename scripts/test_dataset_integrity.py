"""Check a dataset.

    python scripts/test_dataset_integrity.py train_pc_1000

The same as `meta-spliceai dataset validate`; --help lists the other options.
"""

import sys

from meta_spliceai.cli import main

if __name__ == "__main__":
    main(["dataset", "validate", *sys.argv[1:]])
