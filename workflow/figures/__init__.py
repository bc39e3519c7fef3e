"""The paper's figures: what is in each (`catalogue`), how grids are laid out (`grids`), drawing."""
