"""Check a dataset that models are to be trained on.

    python scripts/validate_meta_model_training_data.py train_pc_1000

The same as `meta-spliceai dataset validate`; --help lists the other options.
"""

import sys

from meta_spliceai.cli import main

if __name__ == "__main__":
    main(["dataset", "validate", *sys.argv[1:]])
