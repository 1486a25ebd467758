"""Fill in and put right the gene types of a dataset.

    python scripts/patch_gene_type.py train_pc_1000 --inplace

The same as `meta-spliceai dataset patch DIR --kind gene_type`; --help lists the other options.
"""

import sys

from meta_spliceai.cli import main

if __name__ == "__main__":
    main(["dataset", "patch", "--kind", "gene_type", *sys.argv[1:]])
