"""A genome and its annotation, checked against each other, with the tables derived from them.

guard    do they belong together?
derive   genes, transcripts, exons, splice sites, overlaps
prepare  files -> a reference folder
load     reading it
genes    which genes did the user mean?
truth    what a base truly is
"""
