"""How the networks and the regression of contrast-CT scoring are trained; needs torch, never part of the runtime."""
