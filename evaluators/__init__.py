"""The measures of the paper: each sees a `LabelledVAE`, images and a trained judge, no more."""
