"""Decode HEIF and AVIF, which phones write, with Pillow; HEIF needs a plug-in of its own."""

from __future__ import annotations

import io

import numpy as np


class HeifError(ValueError):
    """The picture cannot be decoded here; the message says what to install."""


def decode_heif(data: bytes, most_pixels: int) -> np.ndarray:
    """(H, W, 3) uint8 RGB, upright. Errors: HeifError."""
    from PIL import Image, ImageOps, features

    is_avif = data[8:12] in (b"avif", b"avis")
    if is_avif and not features.check("avif"):
        raise HeifError("AVIF, which this Pillow cannot decode; update Pillow, or convert it to JPEG or PNG")
    if not is_avif:
        try:
            from pillow_heif import register_heif_opener
        except ImportError:
            raise HeifError(
                "HEIF, which needs pillow-heif (pip install 'metricloop[heif]'); or convert it to JPEG or PNG"
            ) from None
        register_heif_opener()
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > most_pixels:
                raise HeifError(f"{image.width} x {image.height} pixels; at most {most_pixels} are read")
            return np.ascontiguousarray(ImageOps.exif_transpose(image).convert("RGB"))
    except HeifError:
        raise
    except Exception as error:  # the plug-ins raise what their libraries say, such as RuntimeError
        raise HeifError(f"cannot be decoded ({type(error).__name__}); convert it to JPEG or PNG") from None
