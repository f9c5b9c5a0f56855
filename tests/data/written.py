"""PNG and TIFF files written by their specifications alone, of kinds that Pillow does not write."""

import struct
import zlib

import numpy as np

GREY, RGB, CMYK = 1, 2, 5  # TIFF's photometric interpretations; 0 is grey where 0 is white
ASSOCIATED, UNASSOCIATED = 1, 2  # TIFF's alpha, premultiplied or not


def png_file(pixels: np.ndarray, colour_type: int, depth: int = 16, **chunks: bytes) -> bytes:
    """Samples (H, W, C) of ``depth`` bits as a PNG of three filters in turn; ``chunks`` stand before the pixels."""
    height, width, channels = pixels.shape
    if depth < 8:
        bits = np.unpackbits(pixels.reshape(height, -1, 1).astype(np.uint8), axis=2)[..., 8 - depth :]
        rows = np.packbits(bits.reshape(height, -1), axis=1)
    else:
        rows = pixels.astype(">u2" if depth == 16 else np.uint8).reshape(height, -1).view(np.uint8)
    step = max(1, channels * depth // 8)
    before = np.zeros_like(rows[0])
    data = b""
    for y, row in enumerate(rows):
        left = np.concatenate([np.zeros(step, np.uint8), row[:-step]])[: len(row)]
        data += bytes([y % 3]) + (row, row - left, row - before)[y % 3].tobytes()  # none, sub, up
        before = row
    body = {"IHDR": struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(name.encode(), raw) for name, raw in {**body, **chunks, "IDAT": zlib.compress(data), "IEND": b""}.items()
    )


def _chunk(name: bytes, raw: bytes) -> bytes:
    return struct.pack(">I", len(raw)) + name + raw + struct.pack(">I", zlib.crc32(name + raw))


def tiff_file(
    pixels: np.ndarray,
    photometric: int = GREY,
    *,
    order: str = "<",
    packed: bool = False,
    planar: bool = False,
    extra: int | None = None,
    bits: int = 0,
    orientation: int = 1,
) -> bytes:
    """Values (H, W, C) as a TIFF of one strip (or one per channel, if ``planar``), by their type.

    Args:
        pixels: unsigned, signed or floating-point.
        photometric: what 0 and the channels mean.
        order: "<" Intel's, ">" Motorola's.
        packed: deflated.
        planar: channel after channel.
        extra: what the last channel is.
        bits: 12 packs two values into three bytes.
        orientation: as EXIF's.
    """
    height, width, channels = pixels.shape
    width_bits = bits or pixels.itemsize * 8
    parts = list(pixels.transpose(2, 0, 1)) if planar else [pixels]
    strips = [_twelve(p) if bits == 12 else p.astype(p.dtype.newbyteorder(order)).tobytes() for p in parts]
    strips = [zlib.compress(strip) for strip in strips] if packed else strips
    starts = [8 + sum(map(len, strips[:i])) for i in range(len(strips))]
    form = {"u": 1, "i": 2, "f": 3}[pixels.dtype.kind]
    tags: dict[int, list[int]] = {256: [width], 257: [height], 258: [width_bits] * channels, 259: [8 if packed else 1]}
    tags |= {262: [photometric], 273: starts, 274: [orientation], 277: [channels], 278: [height]}
    tags |= {279: [len(strip) for strip in strips], 284: [2 if planar else 1]}
    tags |= {338: [extra]} if extra is not None else {}
    tags |= {339: [form] * channels}
    return _tiff(tags, b"".join(strips), order)


def _tiff(tags: dict[int, list[int]], data: bytes, order: str) -> bytes:
    at = 8 + len(data)
    at += at % 2
    long = at + 2 + 12 * len(tags) + 4  # values that do not fit into their entry
    entries, values = b"", b""
    for tag, numbers in tags.items():
        raw = struct.pack(f"{order}{len(numbers)}I", *numbers)
        if len(raw) > 4:
            raw, values = struct.pack(f"{order}I", long + len(values)), values + raw
        entries += struct.pack(f"{order}HHI", tag, 4, len(numbers)) + raw
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", at)
    count = struct.pack(f"{order}H", len(tags))
    return head + data.ljust(at - 8, b"\0") + count + entries + bytes(4) + values


def _twelve(values: np.ndarray) -> bytes:
    bits = np.unpackbits(values.astype(">u2").reshape(len(values), -1, 1).view(np.uint8), axis=2)[..., 4:]
    return np.packbits(bits.reshape(len(values), -1), axis=1).tobytes()
