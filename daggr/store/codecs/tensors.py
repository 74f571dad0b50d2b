"""PyTorch's dense tensors: dtype, shape, whether a gradient is wanted, and the elements.

They come back on the CPU, whatever device they were on. The graph that computed a tensor, and its gradient, are not
kept: only a leaf keeps `requires_grad`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from daggr.digest import UnencodableError
from daggr.store.codecs.codec import Chunk, Codec, Content, pack, unpack

_DTYPES = (
    *("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
    *("float16", "bfloat16", "float32", "float64", "complex32", "complex64", "complex128"),
    *("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"),
)


def codec_of(kind: type) -> Codec | None:
    """The codec for tensors; subclasses (Parameter) have none."""
    return CODECS["tensor"] if kind is torch.Tensor else None


def _encode(tensor: torch.Tensor) -> list[Chunk]:
    name = str(tensor.dtype).removeprefix("torch.")
    if tensor.is_quantized:
        raise UnencodableError(tensor, "which is quantized; daggr keeps plain dtypes")
    if tensor.layout is not torch.strided:
        raise UnencodableError(tensor, f"whose layout is {tensor.layout}; use .to_dense()")
    if tensor.is_meta:
        raise UnencodableError(tensor, "on the device meta: it has no elements")
    if tensor.is_nested or any(getattr(tensor, "names", ())):
        raise UnencodableError(tensor, "which is nested or has named dimensions")
    if name not in _DTYPES:
        raise UnencodableError(tensor, f"whose dtype {name} daggr does not know")
    header = (name, tuple(tensor.shape), tensor.is_leaf and tensor.requires_grad)
    flat = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous().reshape(-1)
    if not flat.numel():
        return pack(header, [b""])
    return pack(header, [memoryview(flat.as_strided(flat.shape, (1,)).view(torch.uint8).numpy())])


def _decode(content: Content) -> torch.Tensor:
    (name, shape, wants_gradient), (data,) = unpack(content)
    if name not in _DTYPES or any(type(size) is not int or size < 0 for size in shape):
        raise ValueError(f"no tensor: {name!r}, {shape!r}")
    dtype = getattr(torch, name)
    if math.prod(shape) * torch.empty(0, dtype=dtype).element_size() != len(data):
        raise ValueError(f"{len(data)} bytes for shape {shape} of {name}")
    tensor = _tensor(np.frombuffer(data, np.uint8), dtype, isinstance(content, bytearray)).reshape(shape)
    return tensor.requires_grad_() if wants_gradient else tensor


def _tensor(data: np.ndarray[Any, Any], dtype: torch.dtype, kept: bool) -> torch.Tensor:
    if dtype is torch.bool and (data > 1).any():
        raise ValueError("a bool that is neither")
    return torch.from_numpy(data if kept else data.copy()).view(dtype) if data.size else torch.empty(0, dtype=dtype)


CODECS = {"tensor": Codec("tensor", _encode, _decode)}
