"""From raw files to a store, and which of its images are labelled."""
