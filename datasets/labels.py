"""Names of labels and classes, spelt as the owners of each data set spell them."""

from __future__ import annotations

DIGITS = tuple("0123456789")
"""MNIST."""

CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
"""FashionMNIST."""

ATTRIBUTES = (
    "Arched_Eyebrows",
    "Bags_Under_Eyes",
    "Bangs",
    "Black_Hair",
    "Blond_Hair",
    "Brown_Hair",
    "Bushy_Eyebrows",
    "Chubby",
    "Eyeglasses",
    "Heavy_Makeup",
    "Male",
    "No_Beard",
    "Pale_Skin",
    "Receding_Hairline",
    "Smiling",
    "Wavy_Hair",
    "Wearing_Necktie",
    "Young",
)
"""CelebA, in the order of the paper's Appendix C.1."""

FINDINGS = ("Cardiomegaly", "Edema", "Consolidation", "Atelectasis", "Pleural Effusion")
"""CheXpert, in the order of the paper's Appendix C.2."""

UNCERTAIN = ("zeros", "ones", "drop")
"""What an uncertain finding of CheXpert becomes: 0, 1, or a reason to leave the image out."""
