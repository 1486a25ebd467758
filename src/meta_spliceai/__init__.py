"""Meta-SpliceAI: splice-site scores, datasets built from them, and meta-models measured on whole held-out genes.

The commands are the functions of `meta_spliceai.commands`.
"""

__version__ = "0.1.0"
