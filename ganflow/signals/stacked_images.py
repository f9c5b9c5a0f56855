"""Images of which every channel is a grey image with a class of its own (Metz et al., 2017)."""

from ganflow.signals.image import Image


class Stacked(Image):
    """To networks they are images as others; their classes are those of the channels, as digits of one number."""

    name = "stacked"
    separate_channels = True
