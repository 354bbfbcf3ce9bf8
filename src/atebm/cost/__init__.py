"""What a plan costs before it is run: hours by floating point operations and this device's speed, bytes on disk."""
