"""The device to compute on: its choice, memory, precision and CUDA graphs."""
