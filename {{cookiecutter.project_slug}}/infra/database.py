{% include 'infra/database.py/' ~ cookiecutter.auth ~ '-' ~ cookiecutter.atlas_setup ~ '.py' -%}
