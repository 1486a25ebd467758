"""Base models: splice-site probabilities for every base of a sequence.

protocol         what every base model is and gives
registry         a name -> a base model, shipped or plugged in
network          the residual network of the SpliceAI family, as numbers
layers           its layers as the authors of the models write them, and how they fold into it
spliceai         SpliceAI's weights, read from the files its authors publish, and the model made of them
openspliceai     the same for OpenSpliceAI, in four contexts
pangolin         the same for Pangolin, which gives site probability and usage in four tissues
imported         scores that somebody has already, as a base that computes nothing
imported_sources  the files they may be in
torch_files      tensors out of files of torch, without torch and without running what is in them
torch_layers     layers out of these tensors
weights_home     where weights that were fetched are kept
windows          covering a long sequence with windows of a few fixed lengths
engine           choosing what executes an ensemble of networks
openvino_engine  running one on the CPU
processor        whether the processor is made for bfloat16
catalogue        facts, terms and weight files of the shipped ones
whereabouts      where weights lie on this machine
fetch            weights from their authors' homes
describe         which base models there are, and what each is
check            the right scores on this machine, and the speed
"""
