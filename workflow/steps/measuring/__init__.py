"""What is measured of trained models, and the scale to read it by."""
