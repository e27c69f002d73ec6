"""Serves single files of installed packages, such as style sheets, so that no page needs another host."""

from collections.abc import Mapping
from importlib import resources

from flask import Response, send_file

from services.common.web.problems import not_found

BOOTSTRAP = ("flask_bootstrap", "static/bootstrap5/css/bootstrap.min.css")


def send_package_file(files: Mapping[str, tuple[str, str]], name: str) -> Response:
    """Return the file `name` of `files`, which maps names to packages and paths. Raises the problem 404."""
    if name not in files:
        raise not_found("file", name)
    package, path = files[name]
    with resources.as_file(resources.files(package) / path) as file:
        return send_file(file, conditional=True, max_age=24 * 3600)
