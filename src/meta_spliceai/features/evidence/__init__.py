"""Enrichers that read evidence from files: conservation, RNA-seq junctions, motifs, accessibility, expression.

Nothing is fetched: the user gives the files. All but expression are computed from the place on the genome alone, so they
are boundary-blind.
"""
