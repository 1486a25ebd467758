"""One page that shows what was measured; every figure comes with its numbers.

drawing   the look of every picture, and how it becomes part of a page
ranking_figures, detail_figures   the pictures
page      HTML around them
sections  what the page says about the measurement
second_truths   what it says of truths beside the annotation: percent spliced in, RNA-seq junctions
background  what it says about the model and how everything was made
picture   the one picture for a README
run       a run folder -> report.html
"""
