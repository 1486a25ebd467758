"""Base models: splice-site probabilities for every base of a sequence.

protocol         what every base model is and gives
registry         a name -> a base model, shipped or plugged in
network          the residual network of the SpliceAI family, as numbers
spliceai         SpliceAI's weights, read from the files its authors publish, and the model made of them
windows          covering a long sequence with windows of a few fixed lengths
openvino_engine  running an ensemble of networks on the CPU
catalogue        facts, terms and weight files of the shipped ones
weights_home     where fetched weights are kept
whereabouts      where weights lie on this machine
fetch            weights from their authors' homes
describe         which base models there are, and what each is
check            the right scores on this machine, and the speed
"""
