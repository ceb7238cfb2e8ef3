"""Calcium removed from contrast CT by inpainting (Yan 2018, "paper 2"): the patches, the four networks, experiment 1.

"Paper 2" is Yan et al., "Calcium removal from cardiac CT images using deep convolutional neural network", ISBI 2018.
No analysis uses this package yet.
"""
