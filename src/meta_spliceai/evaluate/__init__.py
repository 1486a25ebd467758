"""Honest measurement: from a predictions table, and nothing else, to numbers with intervals.

description  what a predictions table says about itself
predictions  reading the table column by column
bases        what is known of every base besides its scores; tables that cannot be measured are refused
strata       subsets of bases with a claim of their own
tally        a ranking counted once: by cut, gene group and trait
ranking      average precision, top-k accuracy, precision-recall curves
bootstrap    intervals: whole gene groups are drawn, the same ones for every arm
thresholds   errors at cuts chosen out of fold
calibration  do probabilities mean what they say?
measure      one site type, all arms
tables       the columns of what is written
fields       metrics.json, field by field
result       the evaluation folder: writing it, reading it back
run          all of it, in order
words        the numbers as a table and as sentences
"""
