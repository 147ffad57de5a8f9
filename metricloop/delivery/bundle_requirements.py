"""The packages that a bundle needs, each pinned to the version that is installed here."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from metricloop.delivery.bundle_code import BundleError


def pinned(imported: Iterable[str]) -> dict[str, str]:
    """Name -> version of the packages that provide the modules `imported`, and of all that these require.

    imported: top-level names of modules, such as cv2. Conditions of requirements are those of this Python here.
    Errors: BundleError for a module that no installed package provides, or a package that is missing.
    """
    providers = packages_distributions()
    waiting: list[tuple[str, frozenset[str]]] = []
    for name in imported:
        if name not in providers:
            raise BundleError(f"no installed package provides the module {name}; install metricloop[bundle]")
        waiting.append((providers[name][0], frozenset()))
    versions: dict[str, str] = {}
    done = set()
    while waiting:
        entry = waiting.pop()
        if entry in done:
            continue
        done.add(entry)
        name, extras = entry
        try:
            found = distribution(name)
        except PackageNotFoundError:
            raise BundleError(f"the package {name} is not installed; install metricloop[bundle]") from None
        versions[canonicalize_name(found.metadata["Name"])] = found.version
        for line in found.requires or []:
            required = Requirement(line)
            if _holds(required, extras):
                waiting.append((required.name, frozenset(required.extras)))
    return dict(sorted(versions.items()))


def _holds(required: Requirement, extras: frozenset[str]) -> bool:
    """Whether a requirement counts here, for a package with these extras."""
    return required.marker is None or any(required.marker.evaluate({"extra": extra}) for extra in extras or {""})


def requirements_text(versions: dict[str, str]) -> str:
    """The lines of requirements.txt."""
    return "".join(f"{name}=={version}\n" for name, version in versions.items())
