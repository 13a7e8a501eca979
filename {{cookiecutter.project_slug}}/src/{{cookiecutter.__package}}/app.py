{% include 'app/' ~ cookiecutter.layout ~ '.py' ignore missing -%}
