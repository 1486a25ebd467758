"""Training: gene groups, folds, residual models, calibration, and their predictions on whole held-out genes.

likeness      which genes resemble one another
groups        genes that must stay together: overlapping or alike
split         groups -> folds and sides
split_file    a saved split, and what is refused when it is used
split_plan    the command that saves one
matrix        rows of a dataset as arrays, with weights
leakage       what must not be learnt from, found before anything is learnt
residual      one boosted correction of the base model's logit
logistic      regression with few bounded parameters
calibrate     strictly monotone maps to probabilities
arms          what is compared with what
whole_gene    every base of genes, scored in tiles
site_facts    what the annotation says of sites, for the strata
predictions   the table of those scores, and the truth beside them
model         a saved meta-model
plan          options -> a checked plan
fit           the arms fold by fold, and calibrations across folds
describe      what a run and a model say about themselves
parts         the parts of a run, each made once
run           all of it
"""
