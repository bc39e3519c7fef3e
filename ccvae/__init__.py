"""Capturing Label Characteristics in VAEs (ICLR 2021): the method and what every model shares."""
