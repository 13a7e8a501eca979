"""An environment of samconfig.toml, and the SAM CLI that deploys it."""

import re
import shlex
from pathlib import Path

import tomlkit
from atlas import run

FILE = Path(__file__).parent.parent / "samconfig.toml"
SLUG, REGION = "{{ cookiecutter.project_slug }}", "{{ cookiecutter.aws_region }}"
PREPARES = "Build"
TOOLS = [["sam", "--version"]]


class Environment:
    """The stack's name and Region, the Atlas project, and the stack's parameters."""

    def __init__(self, name: str, region: str) -> None:
        self.name, self.where = name, f"{FILE.name} under [{name}…]"
        self._file = tomlkit.parse(FILE.read_text("utf-8"))
        found = self._file.unwrap().get(name, {})
        common, given, atlas = (
            found.get(it, {}).get("parameters", {}) for it in ("global", "deploy", "atlas")
        )
        self.stack = str(common.get("stack_name") or f"{SLUG}-{name}".removesuffix("-production"))
        self.region = region or str(common.get("region") or REGION)
        said = given.get("parameter_overrides", {})  # a text, a list or a table
        if not isinstance(said, dict):
            words = shlex.split(said) if isinstance(said, str) else said
            plain = [re.sub("^ParameterKey=(.*?),ParameterValue=", r"\1=", it) for it in words]
            said = dict(word.split("=", 1) for word in plain)
        self.settings = {name: str(value) for name, value in said.items()}
        self.project = str(atlas.get("project_id", ""))
        self.account = ""

    def save(self) -> str:
        """Write what is known now, if that changes anything."""
        if self.name not in self._file:
            self._file = tomlkit.parse(tomlkit.dumps(self._file) + self._sections())
        if "atlas" not in self._file[self.name]:
            atlas = f'\n[{self.name}.atlas.parameters] # for make deploy\nproject_id = ""\n'
            self._file = tomlkit.parse(tomlkit.dumps(self._file) + atlas)
        sections = self._file[self.name]
        overrides = tomlkit.array().multiline(True)
        overrides.extend(f"{name}={value}" for name, value in self.settings.items())
        sections["global"]["parameters"]["region"] = self.region
        sections["deploy"]["parameters"]["parameter_overrides"] = overrides
        sections["atlas"]["parameters"]["project_id"] = self.project
        text = tomlkit.dumps(self._file)
        if text != FILE.read_text("utf-8"):
            FILE.write_text(text, "utf-8")
        return f"in {self.where}: commit it"

    def _sections(self) -> str:
        """Return what a new environment begins with: what `default` has, under another name."""
        sections = self._file.unwrap()["default"]
        common = sections["global"]["parameters"] | {"stack_name": self.stack}
        options = sections["deploy"]["parameters"]
        ours = ("confirm_changeset", "parameter_overrides")
        options = {name: it for name, it in options.items() if name not in ours}
        return (
            f"\n[{self.name}.global.parameters]\n{tomlkit.dumps(common)}"
            f"\n[{self.name}.deploy.parameters]\n{tomlkit.dumps(options)}"
        )

    def prepare(self) -> str:
        """Build."""
        run("sam", "build")
        return "what runs in Lambda"

    def deploy(self) -> None:
        """Deploy what was built."""
        run("sam", "deploy", "--config-env", self.name, "--no-confirm-changeset")

    def destroy(self) -> None:
        """Delete the stack."""
        run("sam", "delete", "--config-env", self.name, "--no-prompts")
