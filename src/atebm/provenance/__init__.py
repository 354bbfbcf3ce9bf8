"""From every number back to where it comes from: what is there, whether it is whole, and why it is as it is.

No torch: these commands answer on a login node.
"""
