{% include 'infra/database/' ~ cookiecutter.auth ~ '-' ~ cookiecutter.atlas_setup ~ '.py' -%}
