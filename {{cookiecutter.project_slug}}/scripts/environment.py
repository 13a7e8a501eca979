{% include 'scripts/environment.py/' ~ cookiecutter.iac ~ '.py' -%}
