"""The systems that the paper compares CCVAE with, one file each, built from `ccvae`."""
