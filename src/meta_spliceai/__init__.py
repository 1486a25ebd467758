"""Meta-SpliceAI: splice-site scores, datasets built from them, and meta-models measured on whole held-out genes."""
