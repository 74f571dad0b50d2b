"""What a parameter of a Gradio app takes, told from its JSON schema: a plain value, a file, several, or some within."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Takes = Literal["value", "file", "files", "pictures", "within"]
"""A value without files, one file, a list of files, a list of pictures with captions, or files within something."""

FILE_COMPONENTS = {
    "image": "Image",
    "audio": "Audio",
    "video": "Video",
    "file": "File",
    "uploadbutton": "UploadButton",
    "model3d": "Model3D",
    "gallery": "Gallery",
}
"""Components whose value is a file or a list of them, by their block names."""

_DEEPEST = 12


def takes(schema: Any, component: str = "") -> Takes:
    """What a parameter with this schema takes. Without one the component's name tells."""
    if not isinstance(schema, Mapping):
        if component == "gallery":
            return "pictures"
        return "file" if component in FILE_COMPONENTS else "value"
    found = _takes(schema, schema.get("$defs") or {}, set(), 0)
    return "pictures" if component == "gallery" and found != "value" else found


def _takes(schema: Any, defs: Mapping[str, Any], seen: set[str], depth: int) -> Takes:
    """What it takes. The first part that is no plain value settles it: a definition that was `seen` had none."""
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return "value"
    if isinstance(ref := schema.get("$ref"), str):
        name = ref.rpartition("/")[2]
        if name in seen:
            return "value"
        seen.add(name)
        return _takes(defs.get(name), defs, seen, depth + 1)
    if isinstance(properties := schema.get("properties"), Mapping):
        if "path" in properties and ("meta" in properties or "orig_name" in properties):
            return "file"
        parts: Any = properties.values()
        return "value" if all(_takes(part, defs, seen, depth + 1) == "value" for part in parts) else "within"
    for several in ("anyOf", "oneOf", "allOf"):
        if isinstance(variants := schema.get(several), list):
            kinds = (_takes(variant, defs, seen, depth + 1) for variant in variants)
            return next((kind for kind in kinds if kind != "value"), "value")
    inner = schema.get("items")
    if isinstance(inner, Mapping) and "prefixItems" in inner:
        inner = None if not inner["prefixItems"] else inner["prefixItems"][0]
    if inner is None and isinstance(first := schema.get("prefixItems"), list) and first:
        inner = first[0]
    kind = _takes(inner, defs, seen, depth + 1)
    return "files" if kind == "file" else "value" if kind == "value" else "within"
