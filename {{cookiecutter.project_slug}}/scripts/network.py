{% include 'scripts/deploy/network/' ~ cookiecutter.network ~ '-' ~ cookiecutter.atlas_setup ~ '.py' -%}
