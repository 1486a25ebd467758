"""Put the structural features of a dataset right: lengths, exons, overlaps, splice sites of each row's gene.

    python scripts/patch_structural_features.py train_pc_1000 --inplace

The same as `meta-spliceai dataset patch DIR --kind structural`; --help lists the other options.
"""

import sys

from meta_spliceai.cli import main

if __name__ == "__main__":
    main(["dataset", "patch", "--kind", "structural", *sys.argv[1:]])
