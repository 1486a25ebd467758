"""Predicting: a saved meta-model applied to every base of genes, as a table and as a track of called sites."""
