"""docker-compose.yml and the Dockerfile, judged as far as that goes without an engine (08 R38)."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from headgate import __main__ as command
from headgate.cli import doctor
from headgate.streams.settings import Settings

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "tests" / "contract" / "compose-spec.json"
"""Of the compose specification (Apache License 2.0, see compose-spec.LICENSE), October 2021."""
ROLES = {"edge", "settle", "acquire", "notify"}
SERVERS = {"kafka", "redis", "postgres"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return read


def test_the_file_fits_the_compose_schema(compose: dict[str, Any]) -> None:
    judge = jsonschema.Draft201909Validator(json.loads(SCHEMA.read_text()))
    judge.validate(compose)
    compose["services"]["edge"] |= {"portz": []}
    assert not judge.is_valid(compose), "the schema sees nothing"
    del compose["services"]["edge"]["portz"]


def test_it_runs_every_role_and_every_server(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"migrate", *ROLES, *SERVERS}


def test_whatever_dies_is_started_again_and_whatever_runs_is_asked(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name in ROLES | SERVERS:
        assert services[name]["restart"] == "unless-stopped", name
        assert services[name]["healthcheck"]["test"][0] == "CMD", name
    assert services["migrate"]["restart"] == "on-failure"


def test_nothing_starts_before_what_it_needs(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert services["migrate"]["depends_on"] == {
        name: {"condition": "service_healthy"} for name in SERVERS
    }
    for role in ROLES:
        assert services[role]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"}
        }


def test_every_setting_exists(compose: dict[str, Any]) -> None:
    names = set(names_of_settings())
    for role in ROLES | {"migrate"}:
        assert set(compose["services"][role]["environment"]) <= names, role


def names_of_settings() -> list[str]:
    """The environment variables that the settings read."""
    prefix = str(Settings.model_config["env_prefix"])
    names = [prefix + name.upper() for name in Settings.model_fields]
    for field in Settings.model_fields.values():
        choices = getattr(field.validation_alias, "choices", [])
        names += [str(choice) for choice in choices]
    return names


def test_the_outbox_survives_a_crash_00_a4(compose: dict[str, Any]) -> None:
    given = compose["services"]["redis"]["command"]
    for name, wanted in doctor.REDIS_SETTINGS.items():
        assert given[given.index(f"--{name}") + 1] == wanted


def test_the_data_is_on_volumes_and_no_server_is_open_to_the_network(
    compose: dict[str, Any],
) -> None:
    for name in SERVERS:
        assert compose["services"][name]["volumes"][0].split(":")[0] in compose["volumes"]
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_the_edge_answers_where_the_seed_did(compose: dict[str, Any]) -> None:
    """8000 for the API, 3000 for the dashboard, 3001 for the checkout (01 §1.1)."""
    mapped = [port.split(":")[1:] for port in compose["services"]["edge"]["ports"]]
    inside = str(Settings.model_fields["http_port"].default)
    assert mapped == [[outside, inside] for outside in ("8000", "3000", "3001")]


def test_every_command_is_one_of_ours(compose: dict[str, Any]) -> None:
    for role in ROLES:
        service: Mapping[str, Any] = compose["services"][role]
        command.parser().parse_args(service["command"])
        test = service["healthcheck"]["test"]
        assert test[1] == "headgate"
        command.parser().parse_args(test[2:])
    verbs = re.findall(r"headgate (\w+)", compose["services"]["migrate"]["entrypoint"][2])
    assert verbs == ["migrate", "topics"]


def test_doctor_is_offered_what_it_checks() -> None:
    assert tuple(doctor.CHECKS) == command.PARTS


def test_the_dockerfile_runs_the_command_as_nobody_special() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^USER headgate$", text, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["headgate"\]$', text, re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text()
    version = re.search(r"^UV_VERSION = (\S+)$", makefile, re.MULTILINE)
    assert version is not None
    assert f"uv=={version[1]}" in text


def test_the_image_gets_the_sources_and_nothing_else() -> None:
    kept = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    linked = {path.readlink().name for path in (ROOT / "headgate").iterdir() if path.is_symlink()}
    assert kept == {"headgate", "pyproject.toml", "uv.lock", "README.md", *linked}


@pytest.mark.timeout(600)
def test_the_wheel_that_the_image_installs_works_in_an_empty_environment(tmp_path: Path) -> None:
    uv = shutil.which("uv") or ROOT / ".headgate" / "uv" / "bin" / "uv"
    wheels, home = tmp_path / "wheels", tmp_path / "venv"
    requirements = wheels / "requirements.txt"
    export = [uv, "export", "-q", "--locked", "--no-dev", "--no-emit-project"]
    run(*export, "--output-file", requirements)
    run(uv, "build", "-q", "--wheel", "--out-dir", wheels)
    run(uv, "venv", "-q", "--no-python-downloads", "--python", sys.executable, home)
    install = [uv, "pip", "install", "-q", "--python", home / "bin" / "python"]
    run(*install, "--require-hashes", "--requirement", requirements)
    run(*install, "--no-deps", *wheels.glob("*.whl"))
    told = run(home / "bin" / "headgate", "--help", folder=tmp_path)
    assert "headgate up" in told
    told = run(home / "bin" / "python", "-c", EVERYTHING, folder=tmp_path)
    assert told.strip() == "fine"


EVERYTHING = """
from importlib.resources import files
import headgate.http.edge, headgate.agents.worker, headgate.cli.doctor
assert list(files("headgate.tables").joinpath("migrations").iterdir())
assert files("headgate.embedded").joinpath("kafka.sha256").is_file()
print("fine")
"""


def run(*arguments: object, folder: Path = ROOT) -> str:
    """What a program says; its errors fail the test with its words."""
    made = subprocess.run(
        list(map(str, arguments)), cwd=folder, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    return made.stdout
