"""A genome and its annotation, checked against each other, with the tables derived from them.

placement  annotation -> the genome's contigs, one id per gene
guard      do the introns read as introns do?
motifs     the bases at splice sites
derive     genes, transcripts, exons, splice sites, overlaps
prepare    files -> a reference folder
load       reading it
genes      which genes did the user mean?
truth      what a base truly is
"""
