"""The compose file: right by the schema of compose, and fit for what the server is."""

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema

from retia.api.settings import Settings

ROOT = Path(__file__).parents[1]
VARIABLE = re.compile(r"\$\{(\w+)(?::[-?]([^}]*))?\}")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def test_it_fits_the_schema(compose: dict[str, Any]) -> None:
    schema = get_builtin_schema("vendor.compose-spec")
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [error.message for error in validator.iter_errors(compose)] == []
    broken = compose | {"services": {"app": {"imag": "x"}}}
    assert list(validator.iter_errors(broken))


def test_it_has_what_a_server_needs(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name in ("app", "worker"):
        assert services[name]["deploy"]["replicas"] == 2
    for name, service in services.items():
        tag = service["image"].rpartition(":")[2]
        assert re.match(r"\d+\.\d+", tag), f"{name}: the image has no pinned version"
        if name != "postgres":  # its image gives up root by itself
            assert service["user"] == "101:101"
    assert "USER 101:101" in (ROOT / "Dockerfile").read_text()
    assert all("healthcheck" in services[name] for name in ("nginx", "app", "postgres"))
    used = {volume.split(":")[0] for s in services.values() for volume in s.get("volumes", ())}
    assert set(compose["volumes"]) <= used
    assert "files:/data:ro" in services["nginx"]["volumes"]


def test_its_settings_are_settings(compose: dict[str, Any]) -> None:
    """The server takes what the file sets, once the example's variables are filled in."""
    example = {}
    for line in (ROOT / "deploy" / "env.example").read_text().splitlines():
        if not line.startswith("#"):
            name, _, value = line.partition("=")
            example[name] = value
    environment = {
        name: VARIABLE.sub(lambda found: example[found[1]], value)
        for name, value in compose["services"]["app"]["environment"].items()
    }
    settings = Settings.from_environment(environment)
    assert settings.public_url == "https://retia.example.org"
    assert settings.accel_location == "/stored"


def test_every_mounted_file_is_there(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert not source.startswith(".") or (ROOT / source).exists(), source
