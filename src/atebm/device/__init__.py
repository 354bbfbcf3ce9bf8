"""The device that work runs on: its choice, memory, precision and CUDA graphs."""
