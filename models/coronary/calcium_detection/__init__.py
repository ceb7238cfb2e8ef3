"""Presence of coronary calcium in calcium-scoring CT: an independent second opinion on the score (Lee 2021, "paper 3").

"Paper 3" is Lee et al., "Deep-learning-based coronary artery calcium detection from CT image", Sensors 2021;21:7059:
the heart region without a network, three data layouts, three networks. Heart region and layouts are here; the networks
are not trained yet, so the family is not in the registry.
"""
