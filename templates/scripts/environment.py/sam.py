"""An environment of samconfig.toml, and the SAM CLI that deploys it."""

import re
import shlex
from pathlib import Path

import tomlkit
from atlas import Failure, run

FILE = Path(__file__).parent.parent / "samconfig.toml"
SLUG, REGION = "{{ cookiecutter.project_slug }}", "{{ cookiecutter.aws_region }}"
ENVIRONMENTS = ("default", "staging", "production")
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
        self.usual_region = str(common.get("region") or REGION)
        self.region = region or self.usual_region
        said = given.get("parameter_overrides", {})  # a text, a list or a table
        if not isinstance(said, dict):
            words = shlex.split(said) if isinstance(said, str) else said
            plain = [re.sub("^ParameterKey=(.*?),ParameterValue=", r"\1=", it) for it in words]
            if wrong := [it for it in plain if "=" not in it]:
                raise Failure(f"{wrong[0]} in {self.where} must be NAME=VALUE.")
            said = dict(it.split("=", 1) for it in plain)
        self.settings = {name: str(value).strip('"') for name, value in said.items()}
        self.project = str(atlas.get("project_id", ""))
        self.account = ""

    def save(self) -> str:
        """Write what is known now, if that changes anything."""
        found = self._file.unwrap().get(self.name, {})
        missing = [it for it in ("global", "deploy", "atlas") if it not in found]
        text = tomlkit.dumps(self._file) + "".join(map(self._section, missing))
        self._file = tomlkit.parse(text)
        sections = self._file[self.name]
        overrides = tomlkit.array().multiline(True)
        given = {name: value or '""' for name, value in self.settings.items()}  # as SAM wants it
        overrides.extend(f"{name}={value}" for name, value in given.items())
        sections["global"]["parameters"]["region"] = self.region
        sections["deploy"]["parameters"]["parameter_overrides"] = overrides
        sections["atlas"]["parameters"]["project_id"] = self.project
        text = tomlkit.dumps(self._file)
        if text != FILE.read_text("utf-8"):
            FILE.write_text(text, "utf-8")
        return f"in {self.where}: commit it"

    def _section(self, name: str) -> str:
        """Return what a new section begins with: what `default` has, under another name."""
        heading = f"\n[{self.name}.{name}.parameters]"
        if name == "atlas":
            return f'{heading} # for make deploy\nproject_id = ""\n'
        ours = ("confirm_changeset", "parameter_overrides")
        options = self._file.unwrap()["default"][name]["parameters"]
        options = {key: it for key, it in options.items() if key not in ours}
        if name == "global":
            options["stack_name"] = self.stack
        return f"{heading}\n{tomlkit.dumps(options)}"

    def prepare(self) -> str:
        """Build."""
        run("sam", "build")
        return "what runs in Lambda"

    def deploy(self) -> None:
        """Deploy what was built."""
        run("sam", "deploy", "--config-env", self.name, "--no-confirm-changeset")

    def destroy(self) -> None:
        """Delete the stack."""
        where = ["--stack-name", self.stack, "--region", self.region]
        run("sam", "delete", "--config-env", self.name, *where, "--no-prompts")
