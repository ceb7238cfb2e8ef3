"""Training of the CSCT scoring network (torch; not part of the wheel)."""
