"""The cost of a plan before it is run: hours, by floating point operations and a device's speed, and bytes on disk."""
