"""One page that shows what was measured; every figure comes with its numbers.

figures  the pictures, as SVG text
page     HTML around them
run      an evaluation folder -> report.html
"""
