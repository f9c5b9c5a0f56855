"""ganflow: GAN training as a pipeline, from images to a promoted model."""

__version__ = "0.1.0"
