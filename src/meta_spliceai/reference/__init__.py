"""A genome and its annotation, checked against each other, with the tables derived from them.

placement  annotation -> the genome's contigs, one id per gene
guard      do the introns read as introns do?
motifs     the bases at splice sites
derive     genes, transcripts, exons, splice sites, overlaps
prepare    files -> a reference folder
load       reading it
from_reference  another annotation on a prepared genome
genes      which genes did the user mean?
archives   where Ensembl, GENCODE and RefSeq keep what
fetch      bringing it here
data_root  where references are kept
registry   several of them, side by side, and the one in use
data_manager  paths to its tables, for scripts
truth      what a base truly is
"""
