"""Models without training, whose scores are known: rows that give each figure its scale.

They stand in the tables beside the trained models. `Constant` is the floor of every task. A
`Copier` handles real images only, so that it shows what the judge makes of perfect pictures. Those
with given labels are test images, which the judge has never seen; prior samples are training
images, because their distance from test images is measured. With
`keep="characteristics"` its swap is the donor itself, a perfect transfer that loses the
background; with `keep="background"` nothing is transferred and nothing lost.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from ccvae.errors import InputError
from ccvae.feeding import as_floats
from ccvae.interface import Bound, LabelledVAE
from ccvae.labels import LabelSpace
from ccvae.shapes import Images, Labels, Probabilities
from evaluators.images import ImageSet
from evaluators.measuring import JudgeLike

KEPT = ("characteristics", "background")


class Reference(LabelledVAE):
    """A `LabelledVAE` that has no parameters and is not trained.

    Parameters
    ----------
    labels
        The label space.
    """

    lacks = dict.fromkeys(("diversify", "traverse"), "It has no latents.")

    def __init__(self, labels: LabelSpace) -> None:
        super().__init__()
        self.labels = labels

    def bound(self, x: Images, y: Labels | None = None) -> Bound:
        """There is nothing to train."""
        raise NotImplementedError(f"{type(self).__name__} is a reference and has no objective")

    @property
    def device(self) -> torch.device:
        """Where the label space is."""
        return self.labels.prior.device


class Constant(Reference):
    """Answers everything with the commonest labels and the mean image.

    Parameters
    ----------
    images
        Training images.
    """

    prevalence: Float[Tensor, " outputs"]
    mean: Float[Tensor, "C H W"]

    def __init__(self, images: ImageSet) -> None:
        super().__init__(images.space)
        # Summed in batches of floats: a mean of all at once would need four times the images.
        total = sum((x.double().sum(0) for x, _ in images.batches()), torch.zeros(1))
        self.register_buffer("prevalence", images.prevalence.float())
        self.register_buffer("mean", (total / len(images)).float())

    def _mean_images(self, n: int) -> Images:
        return self.mean.expand(n, *self.mean.shape)

    def classify(self, x: Images) -> Probabilities:
        """Prevalence of each label, or of each class, in the training images."""
        return self.prevalence.expand(len(x), -1)

    def reconstruct(self, x: Images) -> Images:
        """See the class."""
        return self._mean_images(len(x))

    def sample(self, n: int) -> Images:
        """See the class."""
        return self._mean_images(n)

    def generate(self, y: Labels) -> Images:
        """See the class."""
        return self._mean_images(len(y))

    def intervene(self, x: Images, y_new: Labels) -> Images:
        """See the class."""
        return self._mean_images(len(x))

    def swap(self, characteristics: Images, background: Images) -> Images:
        """See the class."""
        return self._mean_images(len(background))


class Copier(Reference):
    """Copies real images and classifies as the judge does.

    Parameters
    ----------
    judge
        Gives the labels.
    train
        Images to sample from.
    test
        Images to generate from: for given labels, any of those whose labels differ in the fewest
        places.
    keep
        What a swap returns, one of `KEPT`.

    Raises
    ------
    InputError
        If `keep` is neither.
    """

    def __init__(
        self, judge: JudgeLike, train: ImageSet, test: ImageSet, keep: str = "characteristics"
    ) -> None:
        super().__init__(judge.labels)
        if keep not in KEPT:
            raise InputError(f"a Copier cannot keep '{keep}'; choose one of {list(KEPT)}")
        self.judge = judge
        self.train_images, self.test_images = train, test
        self.keep = keep

    def classify(self, x: Images) -> Probabilities:
        """The judge's probabilities."""
        return self.labels.probabilities(self.judge.log_probs(x))

    def reconstruct(self, x: Images) -> Images:
        """The image itself."""
        return x

    def _copies(self, images: ImageSet, indices: Integer[Tensor, " B"]) -> Images:
        return as_floats(images.images[indices], self.device)

    def sample(self, n: int) -> Images:
        """Real images, drawn with replacement."""
        return self._copies(self.train_images, torch.randint(len(self.train_images), (n,)))

    def generate(self, y: Labels) -> Images:
        """Real images with the labels nearest to the wanted ones, drawn with replacement."""
        images = self.test_images
        wanted = images.space.one_hot(y.cpu()).flatten(1)
        agreement = wanted @ images.space.one_hot(images.labels).flatten(1).T
        # Agreements are whole numbers, so that less than 1 decides between equal ones only.
        return self._copies(images, (agreement + 0.9 * torch.rand_like(agreement)).argmax(1))

    def intervene(self, x: Images, y_new: Labels) -> Images:
        """The image itself: nothing is changed."""
        return x

    def swap(self, characteristics: Images, background: Images) -> Images:
        """One of the two images itself."""
        return characteristics if self.keep == "characteristics" else background
