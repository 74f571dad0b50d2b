"""The table of edits to a user's files: which ones can be felt, and which ones cannot."""

from __future__ import annotations

from tests.unit.engine.fingerprint.edits import (
    bodies,
    bound,
    classes,
    corners,
    decorators,
    elsewhere,
    layout,
    modules,
    read,
    records,
    renames,
    signatures,
    tables,
    values,
)

MUST_CHANGE = [
    *bodies.MUST_CHANGE,
    *signatures.MUST_CHANGE,
    *modules.MUST_CHANGE,
    *decorators.MUST_CHANGE,
    *classes.MUST_CHANGE,
    *records.MUST_CHANGE,
    *tables.MUST_CHANGE,
    *values.MUST_CHANGE,
    *bound.MUST_CHANGE,
    *read.MUST_CHANGE,
    *corners.MUST_CHANGE,
]
MUST_CHANGE_OR_BE_REFUSED = [
    *signatures.MUST_CHANGE_OR_BE_REFUSED,
    *classes.MUST_CHANGE_OR_BE_REFUSED,
    *tables.MUST_CHANGE_OR_BE_REFUSED,
    *bound.MUST_CHANGE_OR_BE_REFUSED,
    *corners.MUST_CHANGE_OR_BE_REFUSED,
]
MUST_NOT_CHANGE = [
    *layout.MUST_NOT_CHANGE,
    *renames.MUST_NOT_CHANGE,
    *elsewhere.MUST_NOT_CHANGE,
    *bound.MUST_NOT_CHANGE,
]
