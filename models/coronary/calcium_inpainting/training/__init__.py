"""How the inpainting networks are trained and compared; needs torch, never part of the runtime."""
