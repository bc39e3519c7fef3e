"""What CCVAE is compared with: the paper's baselines, a classifier alone, and later relatives.

One file each, built from `ccvae`.
"""
