{% include 'scripts/routes/' ~ cookiecutter.layout ~ '.py' -%}
