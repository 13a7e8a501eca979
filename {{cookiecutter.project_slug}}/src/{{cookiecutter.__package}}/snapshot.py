{% include 'src/snapshot.py/' ~ cookiecutter.auth ~ '.py' -%}
