{% include 'scripts/network.py/' ~ cookiecutter.network ~ '-' ~ cookiecutter.atlas_setup ~ '.py' -%}
