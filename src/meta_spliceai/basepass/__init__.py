"""The base pass: a base model over genes, the artifacts it leaves, and reading them.

chunks        which genes share a file, in the reference's own order
score_files   dense scores: rounding, writing, slicing
candidates    which bases become rows, and how the base model did there
performance   the base model's calls per gene
positions     the tables of one chunk
run           plan -> chunks -> aggregates
artifacts     reading all of it
export        scores as bigWig, BED or a table
"""
